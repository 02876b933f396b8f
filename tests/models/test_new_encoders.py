"""New encoders from a configuration: their tokenizers, sizes, special tokens, and that their runs are checkpoints."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import hasten
from datasets import Dataset
from transformers import AutoModel, AutoTokenizer

from hf_tasks import data
from hf_tasks.core.errors import RecipeError
from hf_tasks.models.from_scratch import build_encoder, has_segments
from hf_tasks.models.load import load_model, load_tokenizer
from hf_tasks.models.section import Model, Subwords
from hf_tasks.models.subwords import encoder_tokenizer, sequence_tokenizer
from hf_tasks.recipe import from_dict
from hf_tasks.runs import evaluation
from hf_tasks.tasks import FillMask
from hf_tasks.tasks.collate import model_inputs
from hf_tasks.training import train

TASK = FillMask(name="fill-mask", max_length=32, metrics=("perplexity",))
TEXTS = [
    f"The {a} {b} in the {c}, isn't it? 我喜欢{d}。"
    for a in ("cat", "Dog") for b in ("sits", "ran") for c in ("mat", "café") for d in "猫狗"
]  # fmt: skip
BERT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
POSITIONS = {"max_position_embeddings": 40}
KINDS: dict[str, dict[str, Any]] = {
    "bert": BERT | POSITIONS,
    "roberta": BERT | POSITIONS,
    "electra": BERT | POSITIONS | {"embedding_size": 16},
    "albert": BERT | POSITIONS | {"embedding_size": 16},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48} | POSITIONS,
    "modernbert": BERT | {"local_attention": 8},
}


def values(kind: str, **more: Any) -> dict[str, Any]:
    return {"model_type": kind} | KINDS[kind] | more


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return encoder_tokenizer(Subwords(vocab_size=300, kind="wordpiece"), TEXTS, segments=True)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
def test_a_learned_tokenizer(kind: Any, tmp_path: Path) -> None:
    learned = encoder_tokenizer(Subwords(vocab_size=400, kind=kind), TEXTS, segments=True)
    special = [getattr(learned, f"{name}_token_id") for name in ("pad", "unk", "cls", "sep", "mask")]
    assert special == [0, 1, 2, 3, 4]
    learned.save_pretrained(tmp_path)
    for tokenizer in (learned, AutoTokenizer.from_pretrained(tmp_path)):
        pair = tokenizer("the cat", "a Dog")
        first = len(tokenizer("the cat")["input_ids"])
        assert [pair["input_ids"][i] for i in (0, first - 1, -1)] == [2, 3, 3]
        assert pair["token_type_ids"] == [0] * first + [1] * (len(pair["input_ids"]) - first)
        assert tokenizer("the [MASK] sits")["input_ids"].count(4) == 1
    text = "the Dog sits in the mat"
    assert learned.decode(learned(text)["input_ids"], skip_special_tokens=True) == text


def test_wordpiece_divides_as_bert_does(tokenizer: Any) -> None:
    assert tokenizer.tokenize("the cats, 我喜") == ["the", "cat", "##s", ",", "我", "喜"]
    lower = encoder_tokenizer(Subwords(vocab_size=300, kind="wordpiece", lowercase=True), TEXTS, segments=False)
    assert lower.tokenize("The CAFÉ") == ["the", "cafe"]
    assert "token_type_ids" not in lower("the cat")


def test_texts_that_are_written_have_no_wordpiece() -> None:
    with pytest.raises(RecipeError) as error:
        sequence_tokenizer(Subwords(kind="wordpiece"), TEXTS)
    assert str(error.value) == (
        "model.tokenizer: wordpiece and lowercase lose blanks and capitals; use kind: bpe or unigram"
    )


# -- sizes


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_encoder_knows_nothing_and_has_the_tokenizer_s_ids(kind: str, tokenizer: Any) -> None:
    torch.manual_seed(0)
    section = Model(config=values(kind), tokenizer=Subwords(vocab_size=300, kind="wordpiece"))
    learned = load_tokenizer(section, TASK, Dataset.from_dict({"text": TEXTS}))
    assert ("token_type_ids" in learned.model_input_names) == (kind not in ("distilbert", "modernbert"))
    model = load_model(section, TASK, learned).eval()
    assert model.config.pad_token_id == 0
    assert model.config.vocab_size == len(learned)
    limit = {"modernbert": 8192, "roberta": 39}.get(kind, 40)
    assert learned.model_max_length == limit
    split = evaluation.encode(
        data.read_rows([{"text": text} for text in TEXTS], TASK, labelled=True).examples, TASK, learned
    )
    loss = evaluation.predict(model, TASK, split, learned).loss
    assert loss == pytest.approx(math.log(len(learned)), abs=0.3)


@pytest.mark.parametrize("groups", [1, 2])
def test_albert_shares_its_layers_and_factorises_its_embeddings(groups: int, tokenizer: Any) -> None:
    model = build_encoder(values("albert", num_hidden_groups=groups), tokenizer)
    v, e, h, f = len(tokenizer), 16, 32, 48
    embeddings = v * e + 40 * e + 2 * e + 2 * e + (e * h + h)
    block = 4 * (h * h + h) + 2 * h + (h * f + f) + (f * h + h) + 2 * h
    head = (h * e + e) + 2 * e + v
    assert sum(p.numel() for p in model.parameters()) == embeddings + groups * block + head


def test_sizes_that_are_not_given_are_those_of_the_base_model(tokenizer: Any) -> None:
    config = build_encoder({"model_type": "albert", "num_hidden_layers": 1, "embedding_size": 64}, tokenizer).config
    assert (config.hidden_size, config.num_attention_heads, config.intermediate_size) == (768, 12, 3072)
    assert (config.num_hidden_layers, config.embedding_size) == (1, 64)


def test_one_group_of_albert_learns_alone(tokenizer: Any) -> None:
    torch.manual_seed(0)
    model = build_encoder(values("albert", num_hidden_layers=3), tokenizer)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    examples = data.read_rows([{"text": text} for text in TEXTS], TASK, labelled=True).examples
    batch = TASK.collator(tokenizer, model)(evaluation.encode(examples, TASK, tokenizer).features.to_list())
    batch["labels"][batch["input_ids"] == 0] = -100
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.0)
    for _ in range(2):
        logits = model(**{name: one for name, one in model_inputs(batch).items() if name != "masked_positions"}).logits
        torch.nn.functional.cross_entropy(logits[batch["masked_positions"]],
                                          batch["labels"][batch["masked_positions"]]).backward()  # fmt: skip
        optimizer.step()
        optimizer.zero_grad()
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    layers = {name.partition("albert_layer_groups.")[2].split(".")[0] for name in moved if "layer_groups" in name}
    assert layers == {"0"}
    assert moved == before.keys()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model_type": "birt"}, 'model_type: there is no encoder with a masked language model "birt"; did you mean'),
        ({"model_type": "marian"}, 'model_type: there is no encoder with a masked language model "marian"'),
        ({"model_type": "distilbert", "intermediate_size": 64}, "intermediate_size: distilbert has no such key"),
        ({"model_type": "bert", "hiden_size": 32}, 'hiden_size: bert has no such key; did you mean "hidden_size"?'),
    ],
)
def test_what_is_no_configuration(config: dict[str, Any], expected: str) -> None:
    with pytest.raises(RecipeError) as error:
        has_segments(config)
    assert str(error.value).startswith(f"model.config.{expected}")


@pytest.mark.parametrize("kind", ["bert", "albert"])
def test_sizes_that_do_not_fit(kind: str, tokenizer: Any) -> None:
    with pytest.raises(RecipeError) as error:
        build_encoder(values(kind, hidden_size=30, num_attention_heads=4), tokenizer)
    assert str(error.value).startswith("model.config: ")
    assert str(error.value).endswith("; change the sizes")


# -- from pretraining to a task


def test_a_pretrained_encoder_is_the_checkpoint_of_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch)
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS * 2), encoding="utf-8")
    pretrained = train(
        from_dict(
            {
                "name": "new",
                "task": {"name": "fill-mask", "max_length": 32, "packing": True},
                "data": {"train": str(tmp_path / "texts.txt")},
                "model": {"config": values("bert"), "tokenizer": {"vocab_size": 300, "kind": "wordpiece"}},
                "training": {"max_steps": 2, "output_dir": str(tmp_path / "pretrained")},
            }
        )
    )
    assert pretrained.metrics["validation"]["perplexity"] > 1
    rows = "".join(f'{{"text": "{text}", "label": "{text[4]}"}}\n' for text in TEXTS)
    (tmp_path / "rows.jsonl").write_text(rows, encoding="utf-8")
    run = train(
        from_dict(
            {
                "name": "later",
                "task": {"name": "text-classification", "max_length": 32},
                "data": {"train": str(tmp_path / "rows.jsonl")},
                "model": {"name_or_path": str(pretrained.path)},
                "method": {"name": "bitfit"},
                "training": {"max_steps": 1, "output_dir": str(tmp_path / "later")},
            }
        )
    )
    word = "embeddings.word_embeddings.weight"
    plain = AutoModel.from_pretrained(pretrained.path)
    assert torch.equal(run.model.bert.get_parameter(word).cpu(), plain.get_parameter(word))
    assert run.predict("The cat ran")["label"] in ("c", "D")
