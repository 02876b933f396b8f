"""Which of transformers' architectures can be trained, with which methods: a table of all of them.

    python benchmarks/architectures.py [NAME ...] [--tasks text-classification ...] [-o docs/architectures.md]

With -o it writes the page of the documentation.

Each architecture with a head for the task is built tiny from its configuration, with random weights, and saved as a
checkpoint. Each method prepares it and takes two steps; the parameters that moved must be those that the method
trains, and a run that is saved and loaded again must compute the same. The outcome is "works", "refused" (one of our
messages before training) or "wrong".
"""

import argparse
import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import conftest  # noqa: E402
import torch  # noqa: E402
from transformers import CONFIG_MAPPING, AutoModel, PreTrainedTokenizerBase  # noqa: E402
from transformers.models.auto import modeling_auto  # noqa: E402

from hf_tasks.core.errors import UserError  # noqa: E402
from hf_tasks.models.load import load_tokenizer  # noqa: E402
from hf_tasks.recipe import Recipe, from_dict  # noqa: E402
from hf_tasks.runs import model_files  # noqa: E402

SIZES = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "embed_dim", "emb_dim", "embedding_size"), 32),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("num_decoder_layers", "num_hidden_groups"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads"), 4),
    **dict.fromkeys(("decoder_attention_heads", "num_key_value_heads"), 4),
    **dict.fromkeys(("intermediate_size", "encoder_ffn_dim", "decoder_ffn_dim", "ffn_dim", "d_ff", "hidden_dim"), 64),
    **dict.fromkeys(("n_inner", "d_inner", "max_position_embeddings", "n_positions"), 64),
    **dict.fromkeys(("d_kv", "head_dim", "rotary_dim"), 8),
}
ODD: dict[str, dict[str, Any]] = {
    "albert": {"num_hidden_groups": 1},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "roberta": {"max_position_embeddings": 66},
    "t5": {"decoder_start_token_id": 0},
}
"""What else a configuration needs to be tiny and consistent."""
LARGEST = 3_000_000
"""Parameters of a model that is not tiny with these sizes, and is left out."""
TASKS: dict[str, dict[str, Any]] = {
    "text-classification": {"labels": ["a", "b", "c"], "problem_type": "single_label_classification"},
    "token-classification": {"labels": ["O", "B-X", "I-X"]},
    "question-answering": {},
}
HEADS = {
    "text-classification": modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
    "token-classification": modeling_auto.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES,
    "question-answering": modeling_auto.MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES,
}
METHODS: dict[str, dict[str, Any]] = {
    "full": {"method": {"name": "full"}},
    "frozen": {"method": {"name": "frozen"}},
    "weighted layers": {"method": {"name": "frozen"}, "model": {"weighted_layers": True}},
    "bitfit": {"method": {"name": "bitfit"}},
    "adapter": {"method": {"name": "bottleneck-adapter", "reduction_factor": 4}},
    "lora": {"method": {"name": "lora", "r": 2}},
    "gradual": {"method": {"name": "gradual-unfreezing"}},
}
ROWS = {
    "input_ids": torch.tensor([[2, 9, 10, 11, 12, 3], [2, 14, 15, 3, 0, 0]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]]),
}
PAGE = """# Architectures

Every architecture of transformers with a head for text classification, token classification or question answering,
built tiny with random weights. Each method takes two steps; the parameters that move are those that it trains, and the
saved run computes the same when it is loaded again.

{works:,} of {tried:,} combinations of architecture, task and method work ({share:.1%}), {refused:,} are refused before
training, {wrong:,} fail. Not tried: the configuration is not tiny with the sizes of the script, or needs another
library. Refused may also mean that these sizes do not fit together.

    python benchmarks/architectures.py -o docs/architectures.md

The methods: {methods}.

| architecture | text classification | token classification | question answering | why not |
| --- | --- | --- | --- | --- |
{rows}
"""
Outcome = tuple[str, str]
"""("works" | "refused" | "wrong", why)"""


def checkpoint(name: str, folder: Path, tokenizer: PreTrainedTokenizerBase) -> str:
    """Write a tiny checkpoint of an architecture; why there is none, or ""."""
    try:
        known = CONFIG_MAPPING[name]()
        given = {key: size for key, size in SIZES.items() if key in known.to_dict() or key in known.attribute_map}
        if isinstance(layers := getattr(known, "layer_types", None), list):
            given["layer_types"] = layers[:2]
        ids = {"vocab_size": len(tokenizer), "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
        config = CONFIG_MAPPING[name](**given | ids | ODD.get(name, {}))
        with torch.device("meta"):
            size = sum(p.numel() for p in AutoModel.from_config(config).parameters())
        if size > LARGEST:
            return f"not tiny with these sizes ({size / 1e6:.0f} M parameters)"
        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(folder)
    except Exception as e:
        return f"cannot be built with these sizes: {_line(e)}"
    tokenizer.save_pretrained(folder)
    return ""


def outcome(recipe: Recipe, folder: Path) -> Outcome:
    """Two steps of a method, and what is saved."""
    try:
        tokenizer = load_tokenizer(recipe.model, recipe.task)
        torch.manual_seed(0)
        model = model_files.build_model(recipe, tokenizer)
    except UserError as e:
        return "refused", _line(e)
    except Exception as e:
        return "wrong", f"before training: {_line(e)}"
    try:
        return _trained(recipe, model, folder, tokenizer)
    except UserError as e:
        return "wrong", f"refused after training: {_line(e)}"
    except Exception as e:
        return "wrong", _line(e)


def _trained(recipe: Recipe, model: Any, folder: Path, tokenizer: PreTrainedTokenizerBase) -> Outcome:
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    model.train()
    for step in range(2):
        optimizer.zero_grad()
        torch.manual_seed(step)
        sum((value.float() - 1).pow(2).mean() for value in _outputs(model)).backward()
        optimizer.step()
    moved = {name for name, p in model.named_parameters() if not torch.equal(before[name], p)}
    if moved - trained:
        return "wrong", f"{min(moved - trained)} moved"
    if not moved:
        return "wrong", "nothing moved"
    model.eval()
    folder.mkdir()
    model_files.save(recipe, model, folder)
    tokenizer.save_pretrained(folder)
    again = model_files.load(recipe, folder, load_tokenizer(recipe.model, recipe.task)).eval()
    with torch.no_grad():
        pairs = zip(_outputs(model), _outputs(again), strict=True)
        difference = max(float((a.nan_to_num() - b.nan_to_num()).abs().max()) for a, b in pairs)
    return ("works", "") if difference <= 1e-4 else ("wrong", f"loaded again, outputs differ by {difference:.1e}")


def _outputs(model: Any) -> list[torch.Tensor]:
    longformer = any(type(module).__name__.startswith("Longformer") for module in model.modules())
    more = {"global_attention_mask": torch.zeros_like(ROWS["input_ids"])} if longformer else {}
    found = model(**ROWS, **more)
    return [found[name] for name in ("logits", "start_logits", "end_logits") if name in found]


def _line(e: BaseException) -> str:
    text = (str(e).strip() or type(e).__name__).splitlines()[0]
    text = text if isinstance(e, UserError) else f"{type(e).__name__}: {text}"
    return " ".join(part for part in text.split() if not part.startswith("/"))[:160]


def rows(names: list[str], tasks: list[str]) -> Iterator[tuple[str, str, dict[str, Outcome]]]:
    """(architecture, task, outcome of each method); the only key "" says why there is no model."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = conftest._wordpiece()
        for name in names:
            base = Path(folder, name)
            why = checkpoint(name, base, tokenizer)
            for task in (task for task in tasks if name in HEADS[task]):
                if why:
                    yield name, task, {"": ("not tried", why)}
                    continue
                found = {}
                for method, sections in METHODS.items():
                    model = {"name_or_path": str(base)} | sections.get("model", {})
                    section = {"name": task, "metrics": ["accuracy"] if task == "text-classification" else []}
                    recipe = from_dict(
                        {
                            "name": "tiny", "task": section | TASKS[task], "data": {"train": "rows.jsonl"},
                            "model": model, "method": sections["method"],
                        }
                    )  # fmt: skip
                    found[method] = outcome(recipe, Path(folder, f"{name}-{task}-{method}"))
                yield name, task, found


def page(kept: list[dict[str, Any]]) -> str:
    """The page of the documentation: a row for each architecture."""
    counts = Counter(kind for one in kept for kind, _ in one["outcomes"].values() if kind != "not tried")
    tried = counts.total()
    lines = []
    for name in dict.fromkeys(one["architecture"] for one in kept):
        several = [one for one in kept if one["architecture"] == name]
        cells = [_cell(next((one["outcomes"] for one in several if one["task"] == task), None)) for task in TASKS]
        reasons = [why for one in several for _, why in one["outcomes"].values() if why]
        lines.append(f"| {' | '.join([f'`{name}`', *cells, _short(reasons[0]) if reasons else ''])} |")
    return PAGE.format(
        works=counts["works"], tried=tried, share=counts["works"] / tried, refused=counts["refused"],
        wrong=counts["wrong"], methods=", ".join(METHODS), rows="\n".join(lines),
    )  # fmt: skip


def _cell(outcomes: dict[str, Outcome] | None) -> str:
    if outcomes is None:
        return "–"
    kinds = {method: kind for method, (kind, _) in outcomes.items()}
    if "" in kinds:
        return "not tried"
    left_out = [method for method, kind in kinds.items() if kind != "works"]
    if not left_out:
        return "all"
    return "none" if len(left_out) == len(kinds) else f"all but {', '.join(left_out)}"


def _short(reason: str) -> str:
    text = reason.removeprefix("model.name_or_path: ").removeprefix("method: ").removeprefix("method.name: ")
    return text.partition(";")[0].replace("|", "/")[:110]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="architectures; by default all")
    parser.add_argument("--tasks", nargs="*", choices=[*TASKS], default=[*TASKS])
    parser.add_argument("-o", "--output", type=Path, help="a Markdown page")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    names = given.names or sorted(set().union(*(HEADS[task] for task in given.tasks)))
    counts, kept = Counter[str](), []
    for name, task, found in rows(names, given.tasks):
        counts.update(kind for kind, _ in found.values())
        kept.append({"architecture": name, "task": task, "outcomes": found})
        odd = [f"{method or 'all'}: {kind}: {why}" for method, (kind, why) in found.items() if kind != "works"]
        print(f"{name:24} {task:22} {'works' if not odd else '; '.join(odd)}", flush=True)
    print(dict(counts))
    if given.output:
        given.output.write_text(page(kept), encoding="utf-8")


if __name__ == "__main__":
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        main()
