"""Text-to-text tasks through every command, on a tiny T5."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Tiny, hasten
from sacrebleu import sentence_bleu
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
from typer.testing import CliRunner

import hf_tasks
from hf_tasks.cli import app
from hf_tasks.core.errors import RecipeError
from hf_tasks.decoding import MBR, Beam, Greedy
from hf_tasks.metrics import score
from hf_tasks.recipe import Recipe, from_dict
from hf_tasks.recipe.training_section import Training
from hf_tasks.runs.run import Run
from hf_tasks.training import train
from hf_tasks.training.check import check
from hf_tasks.training.setup import check_precision

WORDS = {"good": "bad", "film": "book", "paris": "rome", "mary": "john", "red": "blue"}
SOURCES = [f"{a} {b}" for a in WORDS for b in WORDS]
SHORT = {"max_new_tokens": 6}


def values(folder: Path, checkpoint: Path, **sections: Any) -> dict[str, Any]:
    """A recipe that translates each of five words to another, from parallel files."""
    lines = {"x": SOURCES, "y": [" ".join(WORDS[word] for word in source.split()) for source in SOURCES]}
    for ending, texts in lines.items():
        (folder / f"train.{ending}").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    parallel = {"source": str(folder / "train.x"), "target": str(folder / "train.y")}
    return {
        "name": "tiny",
        "task": {"name": "translation", "prefix": "the ", "max_target_length": 8, "label_smoothing": 0.1},
        "data": {"train": parallel, "test": parallel, "validation_size": 0.2},
        "model": {"name_or_path": str(checkpoint)},
        "decoding": {"name": "beam", "num_beams": 2} | SHORT,
        "training": {"num_train_epochs": 2, "learning_rate": 3e-2, "output_dir": str(folder / "run")},
    } | sections


@pytest.fixture(scope="module")
def run(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(from_dict(values(tmp_path_factory.mktemp("generation"), tiny("t5"))))


def changed(run: Run, **sections: Any) -> Recipe:
    return from_dict(values(run.path.parent, Path(run.recipe.model.name_or_path), **sections))


def test_the_run_loads_plainly_and_writes_the_same_texts(run: Run) -> None:
    plain = AutoModelForSeq2SeqLM.from_pretrained(run.path)
    tokenizer = AutoTokenizer.from_pretrained(run.path)
    found = [row["prediction"] for row in run.predict([{"source": source} for source in SOURCES[:6]])]
    batches = [tokenizer(f"the {source}", return_tensors="pt") for source in SOURCES[:6]]
    texts = [tokenizer.decode(plain.generate(**batch)[0], skip_special_tokens=True) for batch in batches]
    assert found == texts
    assert (plain.generation_config.num_beams, plain.generation_config.max_new_tokens) == (2, 6)


def test_the_resolved_recipe_says_how_texts_are_found(run: Run) -> None:
    assert Run.load(run.path).recipe.decoding == Beam(name="beam", num_beams=2, max_new_tokens=6)
    assert run.recipe.task.metrics == ("bleu", "chrf")


def test_results_hold_scores_signatures_and_counts(run: Run) -> None:
    names = ["n", "bleu", "bleu_signature", "chrf", "chrf_signature", "cut", "loss"]
    assert list(run.results["test"])[: len(names)] == names
    assert run.results["test"]["n"] == 25
    assert run.results["test"]["bleu_signature"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp")
    assert run.results["data"]["train"]["examples"] == 20
    predictions = (run.path / "predictions" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    assert [sorted(json.loads(line)) for line in predictions] == [["cut", "prediction"]] * 25


def test_training_lowers_the_loss_and_the_log_has_generated_scores(run: Run) -> None:
    log = [json.loads(line) for line in (run.path / "training_log.jsonl").read_text().splitlines()]
    evaluations = [row for row in log if "eval_bleu" in row]
    assert len(evaluations) == 2
    assert evaluations[-1]["eval_loss"] < 4.0 < evaluations[0]["eval_loss"] + 1.0


def test_evaluate_gives_the_results_of_training_again(run: Run) -> None:
    rows = [{"source": s, "target": " ".join(WORDS[word] for word in s.split())} for s in SOURCES]
    again = Run.load(run.path).evaluate(rows)
    for name in ("bleu", "chrf", "cut", "loss"):
        assert again[name] == pytest.approx(run.results["test"][name], abs=1e-4)


def test_the_commands(run: Run, tmp_path: Path) -> None:
    sources, out = tmp_path / "new.txt", tmp_path / "out"
    sources.write_text("good film\n\nred paris\n", encoding="utf-8")
    expected = [row["prediction"] for row in run.predict([{"source": s} for s in ("good film", "", "red paris")])]
    for ending in ("txt", "jsonl"):
        done = CliRunner().invoke(app, ["predict", str(run.path), str(sources), "-o", f"{out}.{ending}"])
        assert done.exit_code == 0, done.output
    assert Path(f"{out}.txt").read_text(encoding="utf-8") == "".join(f"{text}\n" for text in expected)
    rows = [json.loads(line) for line in Path(f"{out}.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["prediction"] for row in rows] == expected
    done = CliRunner().invoke(app, ["evaluate", str(run.path), "--split", "test"])
    assert f"bleu                   {run.results['test']['bleu']:.4f}" in done.output


def test_evaluate_reads_parallel_files(run: Run) -> None:
    source, target = (str(run.path.parent / f"train.{ending}") for ending in "xy")
    done = CliRunner().invoke(app, ["evaluate", str(run.path), "--data", source, "--references", target, target])
    assert done.exit_code == 0, done.output
    assert "nrefs:2" in done.output
    assert f"chrf                   {run.results['test']['chrf']:.4f}" in done.output
    alone = CliRunner().invoke(app, ["evaluate", str(run.path), "--references", target])
    assert str(alone.exception) == "--references: they belong to a file of sources; name it with --data"


def test_another_decoding_of_a_trained_run(run: Run) -> None:
    beam = Run.load(run.path, ["decoding.num_beams=3"]).recipe.decoding
    assert beam == Beam(name="beam", num_beams=3, max_new_tokens=6)
    sampled = Run.load(run.path, ["decoding.name=mbr", "decoding.num_samples=3"])
    assert sampled.recipe.decoding == MBR(name="mbr", num_samples=3, max_new_tokens=6)
    assert "expected_utility" in sampled.predict(source="good film")
    whole = Run.load(run.path, ["decoding={name: greedy, max_new_tokens: 3}"]).recipe.decoding
    assert whole == Greedy(name="greedy", max_new_tokens=3)
    again = Run.load(run.path, ["decoding={name: beam, num_beams: 5}"]).recipe.decoding
    assert again == Beam(name="beam", num_beams=5, max_new_tokens=6)
    done = CliRunner().invoke(app, ["evaluate", str(run.path), "--set", "decoding={name: greedy}"])
    greedy = hf_tasks.load_run(run.path, ["decoding.name=greedy"])
    rows = [{"source": s, "target": " ".join(WORDS[word] for word in s.split())} for s in SOURCES]
    assert f"chrf                   {greedy.evaluate(rows)['chrf']:.4f}" in done.output


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (
            "task.prefix=x",
            "--set task.prefix=x: only keys of decoding can be changed after training; train again",
        ),
        (
            "decoding=greedy",
            "--set decoding=greedy: decoding: must be a section; write decoding: {name: greedy}",
        ),
        (
            "decoding.num_beams=x",
            '--set decoding.num_beams=x: decoding.num_beams: input should be a valid integer; found "x"',
        ),
    ],
)
def test_what_cannot_be_changed_after_training(run: Run, override: str, expected: str) -> None:
    with pytest.raises(RecipeError) as e:
        Run.load(run.path, [override])
    assert str(e.value) == expected


def test_mbr_in_a_recipe(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hasten(monkeypatch)
    mbr = {"name": "mbr", "num_samples": 4, "utility": "bleu", "weights": "model"} | SHORT
    once = {"num_train_epochs": 1, "output_dir": str(tmp_path / "mbr")}
    trained = train(changed(run, decoding=mbr, training=once))
    row = trained.predict(source="good film")
    assert sorted(row) == ["cut", "expected_utility", "prediction"]
    assert trained.predict(source="good film") == row
    assert 0 <= row["expected_utility"] <= 100
    plain = AutoModelForSeq2SeqLM.from_pretrained(trained.path)
    assert plain.generation_config.num_return_sequences == 1
    _check_report(trained)


def _check_report(trained: Run) -> None:
    """What results.json says beside the choice is what other decodings give on the same data."""
    results = trained.results["test"]
    rows = [json.loads(line) for line in (trained.path / "predictions" / "test.jsonl").read_text().splitlines()]
    assert {frozenset(row) for row in rows} == {frozenset(("prediction", "cut", "expected_utility"))}
    assert results["expected_utility"] == pytest.approx(sum(row["expected_utility"] for row in rows) / len(rows))
    assert list(results["decodings"]) == ["mbr", "oracle", "beam", "greedy"]
    assert results["decodings"]["mbr"] == {name: results[name] for name in ("bleu", "chrf")}
    labelled = [{"source": s, "target": " ".join(WORDS[word] for word in s.split())} for s in SOURCES]
    for name in ("beam", "greedy"):
        alone = Run.load(trained.path, [f"decoding.name={name}"]).evaluate(labelled)
        assert results["decodings"][name] == pytest.approx({key: alone[key] for key in ("bleu", "chrf")})
        assert "decodings" not in alone
    kept = Run.load(trained.path, ["decoding.keep_candidates=true"])
    best = [
        _oracle(row["candidates"], pair["target"]) for row, pair in zip(kept.predict(labelled), labelled, strict=True)
    ]
    expected = score(("chrf",), best, [[pair["target"]] for pair in labelled], {})["chrf"]
    assert results["decodings"]["oracle"]["chrf"] == pytest.approx(expected)
    done = CliRunner().invoke(app, ["evaluate", str(trained.path)])
    assert (
        f"  decodings       bleu       chrf\n  mbr       {results['bleu']:>10.4f} {results['chrf']:>10.4f}\n"
        in done.output
    )


def _oracle(candidates: list[str], target: str) -> str:
    """The candidate of the highest BLEU, the recipe's utility; the first of equals."""
    values = [sentence_bleu(candidate, [target]).score for candidate in candidates]
    return candidates[values.index(max(values))]


def test_check_tells_the_decoding_and_the_length_follows_the_targets(run: Run) -> None:
    sections = values(run.path.parent, Path(run.recipe.model.name_or_path))
    del sections["decoding"]
    assert "  decoding   beam, at most 40 tokens" in check(from_dict(sections))
    sections["task"] = sections["task"] | {"name": "text2text-generation"}
    assert "  decoding   greedy, at most 40 tokens" in check(from_dict(sections), dry_run=False)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        (
            {"task": {"name": "text-classification"}, "data": {"train": "x"}},
            "recipe: decoding: text-classification generates no text; remove it",
        ),
        (
            {"training": {"label_smoothing_factor": 0.1}},
            "recipe: training.label_smoothing_factor: remove it; tasks that generate text have task.label_smoothing",
        ),
        (
            {"decoding": {"name": "beam", "num_beam": 3}},
            'recipe: decoding.num_beam: unknown key; did you mean "num_beams"?',
        ),
        (
            {"decoding": {"name": "mbr", "utility": "chrff"}},
            'recipe: decoding: there is no utility "chrff"; did you mean "chrf"? (one of: chrf, chrf++, bleu, rouge1, '
            "rouge2, rougeL, token_f1, embedding)",
        ),
        (
            {"decoding": {"name": "mbr", "utility": "bleu", "aggregate": True}},
            "recipe: decoding: aggregate goes with utility: chrf; remove one of them",
        ),
    ],
)
def test_clashes(run: Run, sections: dict[str, Any], expected: str) -> None:
    with pytest.raises(RecipeError) as e:
        changed(run, **sections)
    assert e.value.problems == (expected,)


def test_the_same_training_gives_the_same_model(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Sampling for evaluation takes nothing from training's random numbers."""
    hasten(monkeypatch)
    weights = []
    for number, decoding in enumerate(({"name": "sample"} | SHORT, {"name": "greedy"} | SHORT)):
        place = {"max_steps": 2, "eval_strategy": "steps", "eval_steps": 1, "output_dir": str(tmp_path / str(number))}
        weights.append(train(changed(run, decoding=decoding, training=place)).model.state_dict())
    torch.testing.assert_close(weights[0], weights[1], rtol=0, atol=0)


def test_t5_in_half_precision_is_refused_with_the_reason(run: Run) -> None:
    half = run.recipe.model_copy(update={"training": Training(fp16=True)})
    with pytest.raises(RecipeError) as e:
        check_precision(half, run.model)
    assert str(e.value) == (
        "training.fp16: t5 was pretrained in bfloat16 and its activations exceed 65,504, the largest number of fp16; "
        "use bf16: true"
    )
    check_precision(run.recipe, run.model)


def test_python_needs_no_file(run: Run) -> None:
    assert hf_tasks.load_run(run.path).predict(source="good film") == run.predict(source="good film")
