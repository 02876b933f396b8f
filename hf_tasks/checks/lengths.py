"""What is cut: how long the texts are, how many tokens are lost, which limit would hold them."""

from collections.abc import Iterator

import numpy as np

from hf_tasks.checks.finding import Finding, Seen, found
from hf_tasks.tasks.data_facts import Lengths

VISIBLE = 0.0005
"""A share below which it is not worth a word."""


def fact(train: Lengths) -> str:
    """`95 % of the texts have at most 44 tokens, 99 % 52, all 66; max_length 128`."""
    middle, most, longest = (_quantile(train, share) for share in (0.95, 0.99, 1.0))
    return (
        f"95 % of the {train.what} have at most {middle} tokens, 99 % {most}, all {longest}; {train.key} {train.limit}"
    )


def cuts(parts: dict[str, Lengths], readable: int) -> Iterator[Finding]:
    """One finding for all parts of what is cut. `readable`: the tokens that the model can read."""
    train = parts["train"]
    seen = [_seen(name, one) for name, one in parts.items() if (one.tokens > one.kept).any()]
    if seen:
        yield from found("cut", f"{train.what} cut to {train.key} {train.limit}", _remedy(parts, readable), seen)


def _seen(name: str, lengths: Lengths) -> Seen:
    lost, count = int((lengths.tokens - lengths.kept).sum()), int((lengths.tokens > lengths.kept).sum())
    share = lost / lengths.tokens.sum()
    of_all = f" ({share:.1%})" if share >= VISIBLE else ""
    return Seen(f"{count:,} of {len(lengths.tokens):,} in {name}, {lost:,} tokens{of_all} lost", ())


def _remedy(parts: dict[str, Lengths], readable: int) -> str:
    """The limit that holds 99 % of the training texts, and the one that holds all, as far as the model can read."""
    train = parts["train"]
    if train.windowed:
        return train.otherwise
    everything = np.concatenate([one.tokens for one in parts.values()])
    wanted = [int(np.quantile(train.tokens, 0.99, method="inverted_cdf")), int(everything.max())]
    limits = sorted({min(-(-tokens // 8) * 8, readable) for tokens in wanted if tokens > train.limit})
    offers = [_offer(train, everything, limit) for limit in limits if limit > train.limit]
    if not offers:
        return f"the model reads {readable} tokens at most; {train.otherwise}"
    return f"task.{train.key}: {', or '.join(offers)}"


def _offer(train: Lengths, everything: np.ndarray, limit: int) -> str:
    more = np.minimum(train.tokens, limit).sum() / train.kept.sum() - 1
    share = (everything <= limit).mean()
    held = "all" if share == 1 else f"{np.floor(share * 1000) / 10:.1f} %"
    return f"{limit} holds {held}" + (f" for {more:.1%} more tokens to read" if more >= VISIBLE else "")


def _quantile(lengths: Lengths, share: float) -> str:
    value = int(np.quantile(lengths.tokens, share, method="inverted_cdf"))
    return f"more than {lengths.limit}" if lengths.windowed and value > lengths.limit else str(value)
