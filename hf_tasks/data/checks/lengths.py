"""Check of lengths: how many tokens are truncated, and which limit would be enough."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hf_tasks.data.checks.issue import Seen, found
from hf_tasks.tasks import EncodedSplit, Task
from hf_tasks.tasks.types import Issue

VISIBLE = 0.0005
"""Shares below this are not reported."""
Z = 1.96
"""Standard errors on each side of a 95 % interval."""


@dataclass(frozen=True)
class Lengths:
    """Numbers of tokens of a split's E texts before and after truncation."""

    what: str
    """`texts`, `sources` or `targets`."""
    key: str
    """The task's key with the limit."""
    limit: int
    tokens: np.ndarray
    """(E,) tokens before truncation."""
    kept: np.ndarray
    """(E,) tokens after truncation."""
    windowed: bool = False
    """Whether long texts are read in windows; for these, both numbers are those of one window plus 1."""
    otherwise: str = "shorten them"
    """What to do if the model cannot read more tokens."""
    of: int = 0
    """The number of texts of which the E are a sample, if they are one."""

    @property
    def sampled(self) -> bool:
        return len(self.tokens) < self.of


def lengths(task: Task, encoded: EncodedSplit, of: int = 0) -> Iterator[Lengths]:
    """Yield the lengths of the inputs, and of the targets if these are texts; none if several share a feature.

    `of`: the number of examples of the split if `encoded` has only a sample of them.
    """
    features, examples = encoded.features.with_format("numpy"), len(encoded.examples)
    example, length, cut = (np.asarray(features[name][:]) for name in ("example", "length", "tokens_cut"))
    if len(np.unique(example)) < examples:
        return
    kept, lost = np.zeros(examples, np.int64), np.zeros(examples, np.int64)
    np.maximum.at(kept, example, length)
    np.add.at(lost, example, cut)
    windows = np.bincount(example, minlength=examples) > 1
    kept += windows
    yield Lengths(
        task.traits.examples,
        "max_length",
        task.max_length,
        kept + lost,
        kept,
        bool(windows.any()),
        task.traits.too_long,
        of,
    )
    if task.traits.max_target_length and "target_length" in features.column_names:
        kept, cut = (np.asarray(features[name][:]) for name in ("target_length", "target_tokens_cut"))
        yield Lengths("targets", "max_target_length", task.traits.max_target_length, kept + cut, kept, of=of)


def fact(train: Lengths) -> str:
    """Describe lengths: `95 % of the texts have at most 44 tokens, 99 % 52, all 66; max_length 128`."""
    middle, most, longest = (_quantile(train, share) for share in (0.95, 0.99, 1.0))
    what, margin = f"the {train.what}", ""
    if train.sampled:
        what = f"{len(train.tokens):,} sampled {train.what}"
        margin = f" (of all {train.of:,}: ± {_margin(0.95, train):.1%} and {_margin(0.99, train):.1%})"
    limit = f"{train.key} {train.limit}"
    return f"95 % of {what} have at most {middle} tokens, 99 % {most}, all {longest}{margin}; {limit}"


def cuts(splits: dict[str, Lengths], readable: int) -> Iterator[Issue]:
    """Yield one issue for the truncated texts of all splits. `readable`: tokens that the model can read."""
    train = splits["train"]
    seen = [_seen(name, one) for name, one in splits.items() if (one.tokens > one.kept).any()]
    if seen:
        yield from found("cut", f"{train.what} truncated to {train.key} {train.limit}", _remedy(splits, readable), seen)


def _seen(name: str, lengths: Lengths) -> Seen:
    lost, count = int((lengths.tokens - lengths.kept).sum()), int((lengths.tokens > lengths.kept).sum())
    share = lost / lengths.tokens.sum()
    of_all = f" ({share:.1%})" if share >= VISIBLE else ""
    tokens = "1 token" if lost == 1 else f"{lost:,} tokens"
    sampled = ""
    if lengths.sampled:
        part = count / len(lengths.tokens)
        sampled = f" sampled in {name} ({part:.2%} ± {_margin(part, lengths):.2%} of all)"
    return Seen(f"{count:,} of {len(lengths.tokens):,}{sampled or f' in {name}'}, {tokens}{of_all} lost", ())


def _margin(share: float, lengths: Lengths) -> float:
    """Return half the width of the 95 % interval of a share that was found in a sample (normal approximation)."""
    return float(Z * np.sqrt(share * (1 - share) / len(lengths.tokens)))


def _remedy(splits: dict[str, Lengths], readable: int) -> str:
    """Suggest the limits for 99 % of the training texts and for all texts, as far as the model can read them."""
    train = splits["train"]
    if train.windowed:
        return train.otherwise
    everything = np.concatenate([one.tokens for one in splits.values()])
    wanted = [int(np.quantile(train.tokens, 0.99, method="inverted_cdf")), int(everything.max())]
    limits = sorted({min(-(-tokens // 8) * 8, readable) for tokens in wanted if tokens > train.limit})
    offers = [_offer(train, everything, limit) for limit in limits if limit > train.limit]
    if not offers:
        return f"the model reads {readable} tokens at most; {train.otherwise}"
    return f"task.{train.key}: {', or '.join(offers)}"


def _offer(train: Lengths, everything: np.ndarray, limit: int) -> str:
    more = np.minimum(train.tokens, limit).sum() / train.kept.sum() - 1
    share = (everything <= limit).mean()
    held = ("all sampled" if train.sampled else "all") if share == 1 else f"{np.floor(share * 1000) / 10:.1f} %"
    return f"{limit} holds {held}" + (f" for {more:.1%} more tokens to read" if more >= VISIBLE else "")


def _quantile(lengths: Lengths, share: float) -> str:
    value = int(np.quantile(lengths.tokens, share, method="inverted_cdf"))
    return f"more than {lengths.limit}" if lengths.windowed and value > lengths.limit else str(value)
