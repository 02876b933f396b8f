"""New models: what is learned from texts, what is built, and that runs of them load plainly."""

from pathlib import Path
from typing import Any

import processes
import pytest
import torch
from conftest import Tiny, hasten
from datasets import Dataset
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from hf_tasks.core.errors import RecipeError
from hf_tasks.models.from_scratch import build
from hf_tasks.models.load import load_model, load_tokenizer
from hf_tasks.models.section import Model, Subwords
from hf_tasks.models.subwords import sequence_tokenizer
from hf_tasks.recipe import from_dict
from hf_tasks.runs.run import Run
from hf_tasks.tasks import TextToText
from hf_tasks.training import train

TASK = TextToText(name="translation")
TEXTS = [
    f"{a} {b} in the {c}, isn't it?" for a in ("the cat", "a dog") for b in ("sits", "ran") for c in ("mat", "park")
]
T5 = {"model_type": "t5", "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
MARIAN = {
    "model_type": "marian", "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 40,
}  # fmt: skip
BART = MARIAN | {"model_type": "bart"}
TRAIN = Dataset.from_dict({"source": TEXTS})


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return sequence_tokenizer(Subwords(vocab_size=300), TEXTS)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_learned_tokenizer_gives_texts_back(kind: Any, tmp_path: Path) -> None:
    learned = sequence_tokenizer(Subwords(vocab_size=400, kind=kind), TEXTS)
    assert [learned.pad_token_id, learned.eos_token_id, learned.unk_token_id] == [0, 1, 2]
    learned.save_pretrained(tmp_path)
    for tokenizer in (learned, AutoTokenizer.from_pretrained(tmp_path)):
        ids = tokenizer("the dog sits in the mat, isn't it?")["input_ids"]
        assert ids[-1] == 1
        assert tokenizer.decode(ids, skip_special_tokens=True) == "the dog sits in the mat, isn't it?"
        assert tokenizer.model_input_names == ["input_ids", "attention_mask"]


def test_bytes_know_every_character_and_a_unigram_model_those_it_saw() -> None:
    by_bytes = sequence_tokenizer(Subwords(vocab_size=300, kind="bpe"), TEXTS)
    assert by_bytes.decode(by_bytes("größe 猫")["input_ids"], skip_special_tokens=True) == "größe 猫"
    seen = sequence_tokenizer(Subwords(vocab_size=300, kind="unigram"), TEXTS)
    assert seen.unk_token_id in seen("猫")["input_ids"]


LEARN = """
from hf_tasks.models.section import Subwords
from hf_tasks.models.subwords import encoder_tokenizer, sequence_tokenizer
sections = [Subwords(vocab_size=300, kind=kind) for kind in ("bpe", "unigram", "wordpiece")]
made = [sequence_tokenizer(section, TEXTS) for section in sections[:2]]
made += [encoder_tokenizer(section, TEXTS, segments=True) for section in sections]
learned = [one._tokenizer.to_str() for one in made]
"""


def test_the_same_texts_give_the_same_tokenizer_in_another_process() -> None:
    texts = [*TEXTS, "größe 猫 喜欢我", "我喜狗。"]
    code = f"TEXTS = {texts!r}{LEARN}print(*learned, sep='\\n')\n"
    here: dict[str, Any] = {"TEXTS": texts}
    exec(LEARN, here)
    assert processes.run(["-c", code]).stdout.splitlines() == here["learned"]


@pytest.mark.parametrize("config", [T5, MARIAN, BART], ids=lambda config: config["model_type"])
def test_a_model_of_the_sizes_and_of_the_tokenizer_s_tokens(config: dict[str, Any], tokenizer: Any) -> None:
    torch.manual_seed(5)
    model = build(config, tokenizer)
    torch.manual_seed(5)
    same = build(config, tokenizer)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), same.state_dict().values(), strict=True))
    assert model.config.vocab_size == len(tokenizer)
    assert model.config.d_model == 16
    tokens = model.generation_config
    assert (tokens.pad_token_id, tokens.eos_token_id, tokens.decoder_start_token_id) == (0, 1, 0)
    assert (tokens.bos_token_id, tokens.forced_eos_token_id, tokens.forced_bos_token_id) == (None, None, None)
    shifted = model.prepare_decoder_input_ids_from_labels(torch.tensor([[7, 8, 1, -100]]))
    assert shifted.tolist() == [[0, 7, 8, 1]]


def test_the_table_of_positions_limits_texts() -> None:
    section = Model(config=MARIAN, tokenizer=Subwords(vocab_size=300))
    tokenizer = load_tokenizer(section, TASK, TRAIN)
    load_model(section, TASK, tokenizer)
    assert tokenizer.model_max_length == 40
    free = load_tokenizer(section, TASK, TRAIN)
    load_model(Model(config=T5), TASK, free)
    assert free.model_max_length > 100_000


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model_type": "mariam"}, 'model_type: there is no encoder-decoder "mariam"; did you mean "marian"?'),
        ({"model_type": "bert"}, 'model_type: there is no encoder-decoder "bert"; did you mean "bart"?'),
        ({}, 'model_type: there is no encoder-decoder "None"; for example marian, t5 or bart'),
        (MARIAN | {"encoder_layer": 3}, 'encoder_layer: marian has no such key; did you mean "encoder_layers"?'),
    ],
)
def test_what_is_no_configuration(config: dict[str, Any], expected: str, tokenizer: Any) -> None:
    with pytest.raises(RecipeError) as e:
        build(config, tokenizer)
    assert str(e.value) == f"model.config.{expected}"


def test_sizes_that_do_not_fit(tokenizer: Any) -> None:
    with pytest.raises(RecipeError) as e:
        build(MARIAN | {"encoder_attention_heads": 3}, tokenizer)
    assert str(e.value).startswith("model.config: embed_dim must be divisible by num_heads")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({}, "recipe: model: name_or_path is missing; name a checkpoint, or give config for a model from scratch"),
        (
            {"name_or_path": "t5-small", "config": T5},
            "recipe: model: a checkpoint has its config and tokenizer; keep name_or_path alone, or remove it",
        ),
        (
            {"config": T5, "revision": "main"},
            "recipe: model: revision and decoder_name_or_path belong to a checkpoint; remove them, or config",
        ),
    ],
)
def test_one_origin(model: dict[str, Any], expected: str) -> None:
    with pytest.raises(RecipeError) as e:
        from_dict({"name": "x", "task": {"name": "translation"}, "data": {"train": "x"}, "model": model})
    assert str(e.value) == expected


def test_only_tasks_that_write_texts_start_from_nothing() -> None:
    with pytest.raises(RecipeError) as e:
        from_dict({"name": "x", "task": {"name": "text-classification"}, "data": {"train": "x"},
                   "model": {"config": T5}})  # fmt: skip
    assert str(e.value) == "recipe: model: text-classification starts from one checkpoint; give name_or_path alone"


def rows_file(folder: Path) -> str:
    lines = [f'{{"source": "{text}", "target": "{text.upper()}"}}\n' for text in TEXTS * 3]
    (folder / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
    return str(folder / "rows.jsonl")


@pytest.mark.parametrize("kind", ["marian", "warm"])
def test_a_run_of_a_new_model_loads_plainly(
    kind: str, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    scratch = {"config": MARIAN, "tokenizer": {"vocab_size": 300}}
    warm = {"name_or_path": str(tiny("bert")), "decoder_name_or_path": str(tiny("bert"))}
    run = train(
        from_dict(
            {
                "name": "new",
                "task": {"name": "text2text-generation", "max_target_length": 16},
                "data": {"train": rows_file(tmp_path)},
                "model": scratch if kind == "marian" else warm,
                "decoding": {"name": "greedy", "max_new_tokens": 6},
                "training": {"max_steps": 2, "output_dir": str(tmp_path / "run")},
            }
        )
    )
    plain, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(run.path), AutoTokenizer.from_pretrained(run.path)
    texts = [
        tokenizer.decode(plain.generate(**tokenizer(t, return_tensors="pt"))[0], skip_special_tokens=True)
        for t in TEXTS
    ]
    assert [row["prediction"] for row in Run.load(run.path).predict([{"source": text} for text in TEXTS])] == texts


def test_a_warm_start_takes_both_checkpoints_and_new_cross_attention(tiny: Tiny) -> None:
    section = Model(name_or_path=str(tiny("bert")), decoder_name_or_path=str(tiny("bert")))
    tokenizer = load_tokenizer(section, TASK)
    model = load_model(section, TASK, tokenizer)
    query = "layer.0.attention.self.query.weight"
    assert torch.equal(model.encoder.encoder.get_parameter(query), model.decoder.bert.encoder.get_parameter(query))
    assert model.decoder.bert.encoder.layer[0].crossattention.self.query.weight.shape == (32, 32)
    tokens = model.generation_config
    expected = (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id)
    assert (tokens.decoder_start_token_id, tokens.eos_token_id, tokens.pad_token_id) == expected
    assert tokenizer.model_max_length == 64


def test_a_warm_start_needs_one_vocabulary(tiny: Tiny) -> None:
    section = Model(name_or_path=str(tiny("bert")), decoder_name_or_path=str(tiny("roberta")))
    tokenizer = load_tokenizer(section, TASK)
    with pytest.raises(RecipeError) as e:
        load_model(section, TASK, tokenizer)
    assert str(e.value).startswith("model.decoder_name_or_path: its vocabulary has ")
