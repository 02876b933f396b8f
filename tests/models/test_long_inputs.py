"""Models for long documents: global attention, one length for BigBird, limits, what they read far from the start."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Tiny
from transformers import AutoConfig, AutoModel, AutoModelForSeq2SeqLM, AutoTokenizer

from hf_tasks import data
from hf_tasks.decoding import Greedy
from hf_tasks.decoding.generate import generate, generate_from
from hf_tasks.models.load import load_model, load_tokenizer, longest_input
from hf_tasks.models.section import Model
from hf_tasks.recipe import from_dict
from hf_tasks.runs import evaluation
from hf_tasks.tasks.collate import model_inputs

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
SIZES: dict[str, dict[str, Any]] = {
    "longformer": SMALL | {"attention_window": [16], "max_position_embeddings": 1701, "pad_token_id": 0},
    "big_bird": SMALL | {"block_size": 4, "num_random_blocks": 1, "max_position_embeddings": 64},
    "modernbert": SMALL | {"max_position_embeddings": 1700, "local_attention": 16, "global_attn_every_n_layers": 1},
    "led": {
        "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "attention_window": [8],
        "max_encoder_position_embeddings": 96, "max_decoder_position_embeddings": 32, "decoder_start_token_id": 2,
    },
}  # fmt: skip
QUESTION = {"id": "1", "question": "where is mary", "context": "mary lives in paris",
            "answers": {"text": ["paris"], "answer_start": [14]}}  # fmt: skip
LONG = "a film in rome " * 8
ROWS: dict[str, list[dict[str, Any]]] = {
    "text-classification": [{"text": "a good film", "label": "x"}, {"text": LONG, "label": "y"}],
    "question-answering": [QUESTION],
    "multiple-choice": [{"context": "mary lives", "choices": ["in rome", "on"], "label": 0}],
    "token-classification": [{"tokens": ["mary", "lives"], "tags": ["A", "B"]}],
    "summarization": [{"source": "mary lives in paris", "target": "paris"}, {"source": LONG, "target": "rome"}],
}
Loaded = Callable[..., tuple[Any, Any, Any]]


@pytest.fixture(scope="module")
def loaded(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    folders: dict[str, Path] = {}

    def load(kind: str, name: str, max_length: int) -> tuple[Any, Any, Any]:
        """(task, tokenizer, model) with wider weights than usual, so that small differences are seen."""
        if kind not in folders:
            folder = folders[kind] = tmp_path_factory.mktemp(kind)
            names = ["input_ids", "attention_mask"]
            tokenizer = AutoTokenizer.from_pretrained(tiny("bert"), model_max_length=100_000, model_input_names=names)
            ids = {"pad_token_id": 0, "sep_token_id": tokenizer.sep_token_id, "eos_token_id": tokenizer.sep_token_id}
            ids |= {"bos_token_id": tokenizer.cls_token_id, "cls_token_id": tokenizer.cls_token_id}
            config = AutoConfig.for_model(kind, vocab_size=len(tokenizer), **ids | SIZES[kind])
            torch.manual_seed(0)
            model = (AutoModelForSeq2SeqLM if kind == "led" else AutoModel).from_config(config)
            for p in model.parameters():
                p.data += 0.3 * torch.randn_like(p) * (p.ndim > 1)
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        keys = {"doc_stride": 8} if name == "question-answering" else {}
        sections = {"name": "x", "task": {"name": name, "max_length": max_length} | keys, "data": {"train": "t"}}
        recipe = from_dict(sections | {"model": {"name_or_path": str(folders[kind])}})
        split = data.read_rows(ROWS[name], recipe.task, labelled=True)
        task, checkpoint = recipe.task.fit(split.examples), Model(name_or_path=str(folders[kind]))
        tokenizer = load_tokenizer(checkpoint, task)
        torch.manual_seed(0)
        return task, tokenizer, load_model(checkpoint, task, tokenizer).eval()

    return load


def batch_of(rows: list[dict[str, Any]], task: Any, tokenizer: Any, model: Any) -> dict[str, Any]:
    split = data.read_rows(rows, task, labelled=True)
    return task.collator(tokenizer, model)(list(evaluation.encode(split.examples, task, tokenizer).features))  # type: ignore[no-any-return]


def logits(model: Any, batch: dict[str, Any]) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(**model_inputs(batch))["logits"]
        return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("text-classification", [1, 0, 0, 0, 0]),
        ("token-classification", [0, 0, 0, 0]),
        ("question-answering", [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]),
        ("multiple-choice", [[0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1, 0]]),
    ],
)
def test_each_task_writes_its_global_attention(loaded: Loaded, name: str, expected: list[Any]) -> None:
    task, tokenizer, model = loaded("longformer", name, 64)
    batch = batch_of(ROWS[name][:1], task, tokenizer, model)
    assert batch["global_attention_mask"][0].tolist() == expected
    assert torch.isfinite(
        model(**model_inputs(batch))["start_logits" if name == "question-answering" else "logits"]
    ).all()


def test_longformer_s_first_token_is_what_it_takes_by_itself(loaded: Loaded) -> None:
    task, tokenizer, model = loaded("longformer", "text-classification", 64)
    batch = batch_of(ROWS["text-classification"], task, tokenizer, model)
    alone = {name: batch[name] for name in ("input_ids", "attention_mask")}
    assert torch.equal(logits(model, batch), model(**alone).logits)
    short = batch_of(ROWS["text-classification"][:1], task, tokenizer, model)
    torch.testing.assert_close(logits(model, short)[0], logits(model, batch)[0], atol=1e-5, rtol=0)


def test_led_reads_the_mask_also_when_it_writes(loaded: Loaded) -> None:
    task, tokenizer, model = loaded("led", "summarization", 96)
    batch = batch_of(ROWS["summarization"], task, tokenizer, model)
    assert batch["global_attention_mask"].sum(1).tolist() == [1, 1]
    without = batch | {"global_attention_mask": torch.zeros_like(batch["global_attention_mask"])}
    assert (logits(model, batch) - logits(model, without)).abs().max() > 1e-3
    short = batch_of(ROWS["summarization"][:1], task, tokenizer, model)
    torch.testing.assert_close(logits(model, short)[0, :2], logits(model, batch)[0, :2], atol=1e-4, rtol=0)

    seen: list[Any] = []
    model.get_encoder().register_forward_pre_hook(
        lambda module, args, inputs: seen.append(inputs["global_attention_mask"].sum(1).tolist()), with_kwargs=True
    )
    greedy = Greedy(name="greedy", max_new_tokens=3)
    prompts = [row["source"] for row in ROWS["summarization"]]
    texts = [one.text for one in generate(model, tokenizer, prompts, greedy)]
    split = data.read_rows(ROWS["summarization"], task, labelled=False)
    names = ["input_ids", "attention_mask", "global_attention_mask"]
    features = evaluation.encode(split.examples, task, tokenizer).features.select_columns(names).to_list()
    assert [one.text for one in generate_from(model, tokenizer, features, greedy)] == texts
    assert seen == [[1, 1], [1, 1]]


def test_bigbird_reads_one_length(loaded: Loaded) -> None:
    task, tokenizer, model = loaded("big_bird", "text-classification", 64)
    rows = ROWS["text-classification"]
    both = logits(model, batch_of(rows, task, tokenizer, model))
    alone = logits(model, batch_of(rows[:1], task, tokenizer, model))
    torch.testing.assert_close(alone[0], both[0], atol=1e-5, rtol=0)
    assert model.bert.attention_type == "block_sparse"  # after a batch of 5 tokens
    torch.testing.assert_close(logits(model, batch_of(rows, task, tokenizer, model)), both, atol=1e-5, rtol=0)
    _, _, short = loaded("big_bird", "text-classification", 28)
    assert short.config.attention_type == short.bert.attention_type == "original_full"


def test_bigbird_s_outputs_for_tokens_have_the_length_of_the_inputs(loaded: Loaded) -> None:
    task, tokenizer, model = loaded("big_bird", "token-classification", 64)
    batch = batch_of(ROWS["token-classification"], task, tokenizer, model)
    assert logits(model, batch).shape[1] == batch["labels"].shape[1] == 4


@pytest.mark.parametrize(
    ("kind", "longest"), [("longformer", 1700), ("big_bird", 64), ("modernbert", 1700), ("led", 96)]
)
def test_the_limit_is_in_the_configuration_or_in_the_model(loaded: Loaded, kind: str, longest: int) -> None:
    _, tokenizer, model = loaded(kind, "summarization" if kind == "led" else "text-classification", 2000)
    assert longest_input(model) == tokenizer.model_max_length == longest


@pytest.mark.parametrize("kind", ["longformer", "modernbert"])
def test_a_fact_at_token_1500_is_read_by_a_long_model_alone(loaded: Loaded, kind: str) -> None:
    rows = [{"text": f"{'the ' * 1498}{fact} {'the ' * 50}", "label": "x"} for fact in ("paris", "rome")]
    for limit, differs in ((1700, True), (512, False)):
        task, tokenizer, model = loaded(kind, "text-classification", limit)
        first, second = logits(model, batch_of(rows, task, tokenizer, model))
        assert bool((first - second).abs().max() > 1e-6) is differs
