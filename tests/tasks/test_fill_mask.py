"""Masked language modelling: which tokens are masked, and what is computed of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import WORDS, Tiny
from datasets import Dataset
from torch.utils.data import DataLoader
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoTokenizer

from hf_tasks import data
from hf_tasks.core.errors import RecipeError
from hf_tasks.metrics import score
from hf_tasks.models.load import load_model, load_tokenizer
from hf_tasks.models.section import Model, Subwords
from hf_tasks.models.subwords import encoder_tokenizer
from hf_tasks.runs import evaluation, model_files
from hf_tasks.tasks import FillMask
from hf_tasks.tasks.collate import model_inputs
from hf_tasks.training.batches import Batches, BatchSharding, Rows

TASK = FillMask(name="fill-mask", max_length=32, metrics=("perplexity", "masked_accuracy"))
WHOLE = TASK.model_copy(update={"masking": "words"})
PACKED = TASK.model_copy(update={"packing": True})
TEXT = " ".join(WORDS)


@pytest.fixture(scope="module")
def tokenizer(tiny: Tiny) -> Any:
    return AutoTokenizer.from_pretrained(tiny("bert"))


@pytest.fixture(scope="module")
def model(tiny: Tiny, tokenizer: Any) -> Any:
    torch.manual_seed(0)
    return load_model(Model(name_or_path=str(tiny("bert"))), TASK, tokenizer).eval()


def encoded(texts: list[str], tokenizer: Any, task: FillMask = TASK, *, labelled: bool = True) -> Any:
    split = data.read_rows([{"text": text} for text in texts], task, labelled=labelled)
    return evaluation.encode(split.examples, task, tokenizer)


def batch(split: Any, tokenizer: Any, task: FillMask = TASK, draw: tuple[int, int] | None = None) -> Any:
    features = split.features.to_list()
    return task.collator(tokenizer, None)([one | ({"draw": draw} if draw else {}) for one in features])


# -- which tokens


def test_the_masks_of_a_row_are_a_function_of_seed_and_epoch(tokenizer: Any) -> None:
    split = encoded(["the good film and the bad book in paris", "mary lives in rome"], tokenizer)
    whole = batch(split, tokenizer, draw=(0, 0))
    assert whole["masked_positions"].nonzero().tolist() == FIRST_DRAW
    alone = TASK.collator(tokenizer, None)([split.features[1] | {"draw": (0, 0)}])
    width = alone["input_ids"].shape[1]
    assert torch.equal(alone["input_ids"][0], whole["input_ids"][1, :width])
    draws = [(0, 0), (0, 1), (1, 0), None]
    assert len({str(batch(split, tokenizer, draw=draw)["input_ids"].tolist()) for draw in draws}) == len(draws)


FIRST_DRAW = [[0, 5], [0, 6], [1, 1]]


def test_evaluation_is_the_same_in_any_batch(tokenizer: Any, model: Any) -> None:
    split = encoded([TEXT, "mary lives in rome", "a big city", "who won the old card"], tokenizer)
    found = [evaluation.predict(model, TASK, split, tokenizer, batch_size=size) for size in (1, 3, 64)]
    for other in found[1:]:
        assert [row["masked"] for row in other.predictions] == [row["masked"] for row in found[0].predictions]
        assert other.loss == pytest.approx(found[0].loss, abs=1e-5)
    losses = -sum(row["log_likelihood"] for row in found[0].predictions)
    assert losses / sum(row["masked"] for row in found[0].predictions) == pytest.approx(found[0].loss, abs=1e-5)


@pytest.mark.parametrize("workers", [0, 2])
def test_processes_and_workers_share_the_masks_of_an_epoch(tokenizer: Any, workers: int) -> None:
    features = encoded([f"mary lives in {place}" for place in WORDS[:7]], tokenizer).features
    collate, found = TASK.collator(tokenizer, None), list[dict[str, int]]()
    for processes in (1, 2):
        shares = [BatchSharding(4, 2, processes, rank) for rank in range(processes)]
        samplers = [Batches(features["length"][:], share, "random", 7) for share in shares]
        seen: dict[str, int] = {}
        for sampler in samplers:
            sampler.set_epoch(1)
            loader = DataLoader(
                Rows(features, 7),
                batch_sampler=sampler,
                collate_fn=collate,
                num_workers=workers if processes == 1 else 0,
            )  # type: ignore[arg-type]
            for made in loader:
                for ids, labels in zip(made["input_ids"].tolist(), made["labels"].tolist(), strict=True):
                    if set(labels) != {-100}:  # a filler
                        seen[f"{ids} {labels}"] = seen.get(f"{ids} {labels}", 0) + 1
        found.append(seen)
    assert found[0] == found[1]
    assert sum(found[0].values()) == 7


def test_shares_of_10_000_tokens(tokenizer: Any) -> None:
    random = np.random.default_rng(0)
    split = encoded([" ".join(random.choice(WORDS, 28)) for _ in range(400)], tokenizer)
    made = batch(split, tokenizer, draw=(3, 0))
    original = torch.tensor([row for row in split.features["input_ids"][:] if len(row) == 30])
    kept = [i for i, row in enumerate(split.features["input_ids"][:]) if len(row) == 30]
    chosen, ids = made["masked_positions"][kept, :30], made["input_ids"][kept, :30]
    total = 28 * len(kept)
    assert total > 10_000
    assert chosen.sum() / total == pytest.approx(0.15, abs=0.01)
    masked, same = (ids == tokenizer.mask_token_id) & chosen, (ids == original) & chosen
    assert masked.sum() / chosen.sum() == pytest.approx(0.8, abs=0.02)
    assert same.sum() / chosen.sum() == pytest.approx(0.1, abs=0.02)
    special = torch.tensor(tokenizer.all_special_ids)
    assert not torch.isin(original[chosen], special).any()
    assert not torch.isin(ids[chosen & ~masked], special).any()
    assert torch.equal(ids[~chosen], original[~chosen])


@pytest.mark.parametrize("architecture", ["bert", "albert", "roberta"])
def test_whole_words_are_those_of_the_tokenizer(tiny: Tiny, architecture: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny(architecture))
    words = ["unquiet", "xyz", "the", "film", "isn't", "paris"] * 5
    split = encoded([" ".join(words)] * 40, tokenizer, WHOLE.model_copy(update={"max_length": 64}))
    several = False
    for draw in ((0, 0), (0, 1)):
        made = batch(split, tokenizer, WHOLE, draw=draw)
        for row, word in zip(made["masked_positions"], split.features["words"][:], strict=True):
            chosen = row[: len(word)].numpy()
            whole = set(np.array(word)[chosen].tolist())
            assert np.isin(word, sorted(whole)).tolist() == chosen.tolist()
            assert chosen.sum() / (np.array(word) >= 0).sum() == pytest.approx(0.15, abs=0.05)
            several |= bool(chosen.sum() > len(whole))
    assert several


def test_is_n_t_has_the_words_of_bert(tokenizer: Any) -> None:
    words = encoded(["isn't it"], tokenizer, WHOLE).features["words"][0]
    assert tokenizer.tokenize("isn't it") == ["is", "##n", "'", "t", "it"]
    assert words == [-1, 0, 0, 1, 2, 3, -1]


def test_segmented_chinese_has_the_words_between_blanks() -> None:
    texts = ["我 喜欢 猫 ， also good dogs ！"] * 20
    tokenizer = encoder_tokenizer(Subwords(vocab_size=300, kind="wordpiece"), texts, segments=True)
    task = TASK.model_copy(update={"masking": "segmented", "mlm_probability": 0.3})
    split = encoded(texts, tokenizer, task)
    assert split.examples[0]["text"] == "我喜欢猫，also good dogs！"
    tokens = tokenizer.convert_ids_to_tokens(split.features["input_ids"][0])
    assert list(zip(tokens, split.features["words"][0], strict=True))[1:6] == [
        ("我", 0), ("喜", 1), ("欢", 1), ("猫", 2), ("，", 3),
    ]  # fmt: skip
    together = batch(split, tokenizer, task)["masked_positions"][:, 2:4].tolist()
    assert {tuple(pair) for pair in together} == {(True, True), (False, False)}


def test_at_least_one_token_of_a_text_is_masked(tokenizer: Any) -> None:
    made = batch(encoded(["a", "paris", "xyz"], tokenizer, WHOLE), tokenizer, WHOLE)
    assert made["masked_positions"].sum(1).tolist() == [1, 1, 3]


# -- windows


def test_long_texts_have_windows_and_packed_ones_fill_them(tokenizer: Any) -> None:
    texts = ["mary lives in rome", "a big city", TEXT]
    size = len(tokenizer(TEXT)["input_ids"]) - 2
    lines, packed = (encoded(texts, tokenizer, task).features for task in (TASK, PACKED))
    assert sum(lines["length"][:]) == size + 4 + 3 + 2 * len(lines)
    assert packed["length"][:-1] == [32] * (len(packed) - 1)
    assert sum(packed["length"][:]) == size + 1 + 4 + 1 + 3 + 2 * len(packed)
    joined = [token for row in packed["input_ids"][:] for token in row[1:-1]]
    expected = [tokenizer(text)["input_ids"][1:] for text in texts]  # each with its separator
    assert joined == [token for row in expected for token in row][:-1]
    assert packed["example"][:] == [0] + [2] * (len(packed) - 1)
    assert packed["window"][:] == [0, *range(len(packed) - 1)]
    assert packed["text"][0] == [0] + [0] * 5 + [1] * 4 + [2] * 21 + [0]
    assert [place for place, label in enumerate(packed["labels"][0]) if label == -100] == [0, 5, 9, 31]


def test_every_packed_text_has_its_own_scores(tokenizer: Any, model: Any) -> None:
    often = PACKED.model_copy(update={"mlm_probability": 0.9})
    split = encoded(["mary lives in rome", "a big city", "a new queen"], tokenizer, often)
    assert len(split.features) == 1
    rows = evaluation.predict(model, often, split, tokenizer).predictions
    assert all(0 < row["masked"] <= most for row, most in zip(rows, (4, 3, 3), strict=True))
    assert sum(row["masked"] for row in rows) == int(batch(split, tokenizer, often)["masked_positions"].sum())


# -- scores and predictions


def test_uniform_logits_have_a_perplexity_of_the_vocabulary() -> None:
    predictions = [(3 * np.log(50), 1, 3), (np.log(50), 0, 1)]
    values = score(("perplexity", "masked_accuracy"), predictions, [(0, 3, 3), (0, 1, 1)], {})
    assert values["perplexity"] == pytest.approx(50)
    assert values["masked_accuracy"] == 0.25


def test_only_masked_positions_are_computed_and_they_are_the_same(tokenizer: Any, model: Any) -> None:
    made = batch(encoded([TEXT, "mary lives in rome"], tokenizer), tokenizer)
    inputs = model_inputs(made)
    with torch.inference_mode():
        few = model(**inputs).logits
        every = model(**{name: value for name, value in inputs.items() if name != "masked_positions"}).logits
    assert few.shape == (int(made["masked_positions"].sum()), len(tokenizer))
    torch.testing.assert_close(few, every[made["masked_positions"]])


def test_pseudo_perplexity_masks_each_token_and_the_rest_of_its_word(tokenizer: Any, model: Any) -> None:
    split = encoded(["playing xy"], tokenizer, labelled=False)
    shown = [tokenizer.convert_ids_to_tokens(ids)[1:-1] for ids in split.features["input_ids"][:]]
    mask = "[MASK]"
    assert shown == [[mask, mask, "x", "##y"], ["play", mask, "x", "##y"], ["play", "##ing", mask, mask],
                     ["play", "##ing", "x", mask]]  # fmt: skip
    tokens, expected = tokenizer("playing xy")["input_ids"][1:-1], 0.0
    with torch.inference_mode():
        for i, (ids, token) in enumerate(zip(split.features["input_ids"][:], tokens, strict=True)):
            expected += float(model(input_ids=torch.tensor([ids])).logits[0, i + 1].log_softmax(-1)[token])
    (found,) = evaluation.predict(model, TASK, split, tokenizer).predictions
    assert found["n_tokens"] == 4
    assert found["log_likelihood"] == pytest.approx(expected, abs=1e-4)
    assert found["pseudo_perplexity"] == pytest.approx(np.exp(-expected / 4), rel=1e-4)


@pytest.mark.parametrize("written", ["[MASK]", "<mask>"])
def test_masks_are_filled(tokenizer: Any, model: Any, written: str) -> None:
    text = f"mary lives in {written} and {written}"
    split = encoded([text], tokenizer, labelled=False)
    (found,) = evaluation.predict(model, TASK, split, tokenizer).predictions
    ids = tokenizer("mary lives in [MASK] and [MASK]", return_tensors="pt")
    with torch.inference_mode():
        best = model(**ids).logits[0].softmax(-1).max(-1)
    tokens = [tokenizer.decode([int(best.indices[i])]).strip() for i in (4, 6)]
    assert found["prediction"] == f"mary lives in {tokens[0]} and {tokens[1]}"
    assert found["scores"] == pytest.approx([float(best.values[i]) for i in (4, 6)], abs=1e-5)
    assert [len(one) for one in found["fillings"]] == [10, 10]
    assert [next(iter(one)) for one in found["fillings"]] == tokens


def test_a_text_without_tokens_has_no_perplexity(tokenizer: Any, model: Any) -> None:
    (found,) = evaluation.predict(model, TASK, encoded([""], tokenizer, labelled=False), tokenizer).predictions
    assert found == {"pseudo_perplexity": None, "log_likelihood": 0.0, "n_tokens": 0}


def test_an_empty_text_is_an_error() -> None:
    examples = Dataset.from_dict({"text": ["a", " "], "complete": [True, True]})
    assert list(TASK.issues(examples).errors) == [(1, "the text is empty; write it or remove the row")]


# -- checkpoints


def test_the_pooler_of_the_checkpoint_is_kept(tiny: Tiny, tokenizer: Any, model: Any, tmp_path: Path) -> None:
    from transformers import AutoModel

    source = AutoModel.from_pretrained(tiny("bert")).pooler.dense.weight
    model_files.save_whole(model, tmp_path)
    tokenizer.save_pretrained(tmp_path)
    later = AutoModelForSequenceClassification.from_pretrained(tmp_path, num_labels=2)
    assert torch.equal(later.bert.pooler.dense.weight, source)
    again = AutoModelForMaskedLM.from_pretrained(tmp_path)
    assert torch.equal(again.cls.predictions.transform.dense.weight, model.cls.predictions.transform.dense.weight)


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [("t5", "(t5) is not an encoder with a masked language model"), ("gpt2", "(gpt2) is not an encoder")],
)
def test_a_checkpoint_that_cannot_fill_masks(tiny: Tiny, architecture: str, expected: str) -> None:
    section = Model(name_or_path=str(tiny(architecture)))
    with pytest.raises(RecipeError) as error:
        load_model(section, TASK, load_tokenizer(section, TASK))
    assert expected in str(error.value)


def test_a_tokenizer_without_mask(tiny: Tiny) -> None:
    with pytest.raises(RecipeError) as error:
        encoded(["a"], AutoTokenizer.from_pretrained(tiny("gpt2")))
    assert str(error.value).startswith("model.name_or_path: its tokenizer has no mask token; choose")
