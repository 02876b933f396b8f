"""Text generation: prompt and completion in one text, what is cut, weights of the prompt in the loss."""

import math
from typing import Any

import pytest
import torch
from conftest import Tiny
from transformers import AutoModelForCausalLM, AutoTokenizer

from hf_tasks import data
from hf_tasks.core.errors import RecipeError
from hf_tasks.decoding import Greedy
from hf_tasks.recipe import from_dict
from hf_tasks.runs import evaluation
from hf_tasks.tasks import TextGeneration
from hf_tasks.tasks.collate import IGNORE, items_in, model_inputs
from hf_tasks.tasks.leads import leads
from hf_tasks.training import setup

TASK = TextGeneration(name="text-generation", max_target_length=8, max_length=16, separator=" to:")
ROWS = [{"prompt": "the good film", "completion": "a bad book"}, {"prompt": "mary", "completion": "john"}]


@pytest.fixture(scope="module")
def tokenizer(tiny: Tiny) -> Any:
    loaded = AutoTokenizer.from_pretrained(tiny("gpt2"))
    loaded.pad_token = loaded.eos_token
    return loaded


@pytest.fixture(scope="module")
def model(tiny: Tiny) -> Any:
    return AutoModelForCausalLM.from_pretrained(tiny("gpt2")).eval()


def encoded(task: TextGeneration, tokenizer: Any, rows: list[dict[str, Any]] = ROWS, labelled: bool = True) -> Any:
    return evaluation.encode(data.read_rows(rows, task, labelled=labelled).examples, task, tokenizer)


def batch_of(task: TextGeneration, tokenizer: Any, rows: list[dict[str, Any]] = ROWS) -> dict[str, Any]:
    return task.collator(tokenizer, None)(encoded(task, tokenizer, rows).features.to_list())


def test_prompt_separator_completion_and_end_in_one_text(tokenizer: Any) -> None:
    batch = batch_of(TASK, tokenizer)
    assert tokenizer.batch_decode(batch["input_ids"]) == [
        "the good film to: a bad book<|endoftext|>",
        "mary to: john<|endoftext|>" + "<|endoftext|>" * 2,
    ]
    learned = [tokenizer.decode(row[row != IGNORE]) for row in batch["labels"]]
    assert learned == [" a bad book<|endoftext|>", " john<|endoftext|>"]
    assert batch["attention_mask"].sum(1).tolist() == [10, 8]
    assert "loss_weights" not in batch


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_uniform_logits_have_the_loss_of_chance_for_every_weight(tokenizer: Any, weight: float) -> None:
    task = TASK.model_copy(update={"prompt_loss_weight": weight})
    batch = batch_of(task, tokenizer)
    logits = torch.zeros(*batch["input_ids"].shape, 50)
    batch["labels"][batch["labels"] > 49] = 7
    assert float(task.loss({"logits": logits}, batch)) == pytest.approx(math.log(50), abs=1e-5)
    prompt_tokens, learned = (6 - 1) + (5 - 1), 4 + 3  # the first token of a text is predicted by nothing
    assert float(items_in(batch)) == pytest.approx(learned + weight * prompt_tokens)


def test_weight_0_is_the_loss_of_the_completion_and_weight_1_that_of_the_text(tokenizer: Any, model: Any) -> None:
    for weight in (0.0, 1.0):
        task = TASK.model_copy(update={"prompt_loss_weight": weight})
        batch = batch_of(task, tokenizer)
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, IGNORE) if weight else batch["labels"]
        with torch.inference_mode():
            output = model(**model_inputs(batch))
            own = model(**model_inputs(batch), labels=labels).loss
        assert float(task.loss(output, batch)) == pytest.approx(float(own), abs=1e-5)


def test_half_a_weight_is_the_weighted_mean(tokenizer: Any, model: Any) -> None:
    task = TASK.model_copy(update={"prompt_loss_weight": 0.5})
    batch = batch_of(task, tokenizer, ROWS[:1])
    with torch.inference_mode():
        output = model(**model_inputs(batch))
    nll = -output.logits[0, :-1].log_softmax(-1).gather(1, batch["input_ids"][0, 1:, None])[:, 0]
    weights = torch.tensor([0.5] * 5 + [1.0] * 4)
    assert float(task.loss(output, batch)) == pytest.approx(float((weights * nll).sum() / 6.5), abs=1e-5)


def test_a_row_that_fills_a_piece_counts_nothing(tokenizer: Any) -> None:
    task = TASK.model_copy(update={"prompt_loss_weight": 1.0})
    feature = encoded(task, tokenizer).features[0]
    batch = task.collator(tokenizer, None)([feature | {"labels": [IGNORE] * len(feature["labels"])}])
    assert float(items_in(batch)) == 0.0
    assert bool((batch["labels"] == IGNORE).all())
    assert int(batch["input_ids"].min()) >= 0


@pytest.mark.parametrize(("keep", "kept"), [("start", "a b c d"), ("end", " g h i j")])
def test_prompts_are_cut_and_the_separator_stays(tokenizer: Any, keep: str, kept: str) -> None:
    task = TASK.model_copy(update={"keep": keep, "max_length": 6})
    split = encoded(task, tokenizer, [{"prompt": "a b c d e f g h i j", "completion": "x"}])
    assert tokenizer.decode(split.features[0]["input_ids"]) == f"{kept} to:"
    assert split.features[0]["tokens_cut"] == 6


def test_a_completion_that_is_too_long_has_no_end(tokenizer: Any) -> None:
    task = TASK.model_copy(update={"max_target_length": 3})
    feature = encoded(task, tokenizer, [{"prompt": "a", "completion": "a b c d"}]).features[0]
    assert tokenizer.decode(feature["labels"]) == " a b c"
    assert (feature["target_length"], feature["target_tokens_cut"], feature["length"]) == (3, 2, 6)


def test_without_room_for_a_prompt_it_is_an_error(tokenizer: Any) -> None:
    with pytest.raises(RecipeError) as error:
        encoded(TASK.model_copy(update={"max_target_length": 62}), tokenizer)
    assert str(error.value) == "task.max_target_length: leaves no room for prompts in 64 tokens; lower it"
    with pytest.raises(RecipeError, match=r"task.separator: ends with a blank"):
        from_dict({"name": "x", "task": {"name": "text-generation", "separator": "TL;DR: "}, "data": {"train": "t"},
                   "model": {"name_or_path": "m"}})  # fmt: skip


def test_what_is_written_has_room_beside_the_prompt(model: Any) -> None:
    sections = {"name": "x", "task": {"name": "text-generation", "max_length": 50, "max_target_length": 8},
                "data": {"train": "t"}, "model": {"name_or_path": "m"}}  # fmt: skip
    decided = setup.with_decoding(from_dict(sections), model)
    assert decided.decoding is not None and decided.decoding.max_new_tokens == 64 - 50
    greedy = {"name": "greedy", "max_new_tokens": 15}
    with pytest.raises(RecipeError) as error:
        setup.with_decoding(from_dict(sections | {"decoding": greedy}), model)
    assert str(error.value) == "decoding.max_new_tokens: the model can write 14 tokens; found 15"


def test_batches_change_neither_loss_nor_texts(tokenizer: Any, model: Any) -> None:
    decoding = Greedy(name="greedy", max_new_tokens=5)
    whole = evaluation.predict(model, TASK, encoded(TASK, tokenizer), tokenizer, decoding=decoding)
    alone = [
        evaluation.predict(model, TASK, encoded(TASK, tokenizer, [row]), tokenizer, decoding=decoding) for row in ROWS
    ]
    assert [row for one in alone for row in one.predictions] == whole.predictions
    assert all(text == text.strip() for text in (row["prediction"] for row in whole.predictions))
    tokens = [4, 3]
    mean = sum(one.loss * n for one, n in zip(alone, tokens, strict=True)) / sum(tokens)  # type: ignore[operator]
    assert whole.loss == pytest.approx(mean, abs=1e-5)


def test_a_long_dialogue_keeps_its_last_turns_and_the_separator(tokenizer: Any) -> None:
    turns = ["anna: who won", "john: not it", "mary: the queen"]
    task = TASK.model_copy(update={"keep": "turns", "max_length": 32})
    rows = [{"prompt": "\n".join(turns), "completion": "a queen"}]
    whole = encoded(task, tokenizer, rows).features[0]
    assert tokenizer.decode(whole["input_ids"]) == "\n".join(turns) + " to:"
    sizes = len(whole["input_ids"])
    [short] = encoded(task.model_copy(update={"max_length": sizes - 1}), tokenizer, rows).features
    assert tokenizer.decode(short["input_ids"]) == "\n".join(turns[1:]) + " to:"
    assert len(short["input_ids"]) + short["tokens_cut"] == sizes
    [last] = encoded(task.model_copy(update={"max_length": 8}), tokenizer, rows).features
    assert tokenizer.decode(last["input_ids"]).endswith(" queen to:")
    assert task.parse({"prompt": turns})["prompt"] == rows[0]["prompt"]


def test_leads() -> None:
    lead, three, longest = leads("prompt").values()
    article = {"prompt": "We saw it. It is 3.5 m long! Is it? Yes."}
    assert (lead(article), three(article)) == ("We saw it.", "We saw it. It is 3.5 m long! Is it?")
    assert longest(article) == "It is 3.5 m long!"
    dialogue = {"prompt": "A: Hi. You?\n\nB: Fine, thanks. Bye."}
    assert (lead(dialogue), longest(dialogue)) == ("A: Hi. You?", "B: Fine, thanks. Bye.")
    assert lead({"prompt": ""}) == ""
    assert TASK.traits.baselines and not TASK.model_copy(update={"separator": ""}).traits.baselines
