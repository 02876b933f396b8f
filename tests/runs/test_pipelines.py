"""Pipelines that transformers 5 removed: the answers of transformers 4, recorded; arguments; files without a run."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Tiny
from pipeline_cases import CONTEXT, GENERATIONS, QUESTIONS, RECORDED, SEED, SHORT, TEXTS, WHO, fill
from typer.testing import CliRunner

import hf_tasks
from hf_tasks.cli import app

EXPECTED = json.loads(RECORDED.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def checkpoints(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The folders of a BERT that answers questions and of a T5 with settings for tasks, as the recorded ones."""
    from transformers import AutoConfig, AutoModelForQuestionAnswering, AutoModelForSeq2SeqLM, AutoTokenizer

    folders = []
    of_tasks = {"task_specific_params": {"translation_en_to_de": {"prefix": "translate: ", "num_beams": 2}}}
    heads = (("bert", AutoModelForQuestionAnswering, {}), ("t5", AutoModelForSeq2SeqLM, of_tasks))
    for name, auto, settings in heads:
        folder = tmp_path_factory.mktemp(name)
        config = AutoConfig.from_pretrained(tiny(name))
        config.update(settings)
        fill(auto.from_config(config)).save_pretrained(folder)
        AutoTokenizer.from_pretrained(tiny(name)).save_pretrained(folder)
        folders.append(str(folder))
    return folders[0], folders[1]


@pytest.fixture(scope="module")
def ask(checkpoints: tuple[str, str]) -> Any:
    return hf_tasks.pipeline("question-answering", model=checkpoints[0])


def approximately(value: Any) -> Any:
    """The recorded value; its scores to 1e-4 of their size."""
    if isinstance(value, list):
        return [approximately(one) for one in value]
    return value | {"score": pytest.approx(value["score"], rel=1e-4)} if "score" in value else value


@pytest.mark.parametrize("case", range(len(QUESTIONS)))
def test_answers_are_those_of_transformers_4(ask: Any, case: int) -> None:
    args, kwargs = QUESTIONS[case]
    assert ask(*args, **kwargs) == approximately(EXPECTED["answers"][case])


@pytest.mark.parametrize("case", range(len(GENERATIONS)))
def test_texts_are_those_of_transformers_4(checkpoints: tuple[str, str], case: int) -> None:
    task, inputs, options = GENERATIONS[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        generate = hf_tasks.pipeline(task, model=checkpoints[1])
    torch.manual_seed(SEED)
    assert generate(inputs, **options) == EXPECTED["texts"][case]


def test_batches_and_iterators_give_the_same_answers(ask: Any) -> None:
    rows = [WHO, SHORT, {"question": "who?", "context": CONTEXT}]
    answers = ask(rows)
    assert [ask(**row) for row in rows] == approximately(answers)
    assert list(ask((row for row in rows), batch_size=1)) == approximately(answers)
    assert ask([]) == []


def test_defaults_of_the_constructor_hold_for_calls(checkpoints: tuple[str, str], ask: Any) -> None:
    several = hf_tasks.pipeline("question-answering", model=checkpoints[0], top_k=3)
    assert several(**WHO) == ask(**WHO, top_k=3) and several(**WHO, top_k=1) == ask(**WHO)


def test_token_ids_and_the_order_of_settings(checkpoints: tuple[str, str]) -> None:
    generate = hf_tasks.pipeline("translation_en_to_de", model=checkpoints[1], max_length=5)
    (record,) = generate(TEXTS[0], return_tensors=True)
    assert list(record) == ["translation_token_ids"] and record["translation_token_ids"].shape == (5,)
    of_prefix = hf_tasks.pipeline("text2text-generation", model=checkpoints[1], max_length=5, num_beams=2)
    (plain,) = of_prefix("translate: " + TEXTS[0])  # the task's settings in the checkpoint: prefix and 2 beams
    assert generate(TEXTS[0]) == [{"translation_text": plain["generated_text"]}]


def test_a_single_text_stops_at_a_stop_sequence(checkpoints: tuple[str, str]) -> None:
    generate = hf_tasks.pipeline("text2text-generation", model=checkpoints[1], num_beams=1)
    assert generate(TEXTS[0], max_new_tokens=8) == [{"generated_text": "who an who who who who who who"}]
    assert generate(TEXTS[0], max_new_tokens=8, stop_sequence="an") == [{"generated_text": "who an"}]


def test_another_task_is_that_of_transformers(tiny: Tiny) -> None:
    vectors = hf_tasks.pipeline("feature-extraction", model=str(tiny("bert")))("the film")
    assert type(vectors) is list and len(vectors[0][0]) == 32


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        (WHO | {"max_answer_length": 3}, 'there is no argument "max_answer_length"; did you mean "max_answer_len"?'),
        (WHO | {"top_k": 0}, "top_k: must be 1 or more; found 0"),
        ({"question": "who?"}, 'give question="..." and context="...", or dicts with both'),
        (
            {"question": ["a", "b"], "context": ["c"] * 3},
            "2 questions, but 3 contexts; give as many, or one context",
        ),
        (WHO | {"context": ""}, 'the context is empty; give a row {"question": "...", "context": "..."}'),
    ],
)
def test_wrong_arguments_are_named(ask: Any, kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(hf_tasks.DataError) as error:
        ask(**kwargs)
    assert str(error.value) == message


def test_wrong_texts_and_checkpoints_are_named(checkpoints: tuple[str, str], tiny: Tiny) -> None:
    generate = hf_tasks.pipeline("summarization", model=checkpoints[1])
    with pytest.raises(hf_tasks.DataError, match="a text is not a string but 3; give strings"):
        generate(["a", 3])
    with pytest.raises(hf_tasks.DataError, match='there is no argument "max_lenght"; did you mean "max_length"?'):
        generate("a", max_lenght=3)
    with pytest.raises(hf_tasks.RunError, match="qa_outputs.*train it"):
        hf_tasks.pipeline("question-answering", model=str(tiny("bert")))
    with pytest.raises(hf_tasks.RunError, match="trust_remote_code: can only be False; found True"):
        hf_tasks.pipeline("summarization", model=checkpoints[1], trust_remote_code=True)


def test_files_without_a_run(checkpoints: tuple[str, str], tmp_path: Path, capsys: Any) -> None:
    bert, t5 = checkpoints
    questions, texts = tmp_path / "questions.jsonl", tmp_path / "texts.txt"
    questions.write_text("".join(json.dumps(row) + "\n" for row in (WHO, SHORT)), encoding="utf-8")
    texts.write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    command_line = CliRunner()
    found = command_line.invoke(app, ["predict", "--model", bert, "--task", "question-answering", str(questions)])
    assert [json.loads(line) for line in found.stdout.splitlines()] == [
        row | approximately(answer) for row, answer in zip((WHO, SHORT), EXPECTED["answers"][9], strict=True)
    ]
    output = tmp_path / "out.txt"
    command_line.invoke(app, ["predict", "--model", t5, "--task", "translation_en_to_de", str(texts), f"-o{output}"])
    plain = hf_tasks.pipeline("translation_en_to_de", model=t5)(TEXTS)
    assert output.read_text(encoding="utf-8").splitlines() == [row["translation_text"] for row in plain]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "x", "in.csv"], "--model: needs its task; add --task, one of question-answering"),
        (["--model", "x", "--task", "ner", "in.csv"], "--task ner: is not one of question-answering"),
        (["--task", "summarization", "run", "in.csv"], "--task: belongs to --model"),
        (["--model", "x", "run", "in.csv"], "--model: takes the place of a run"),
        (["run"], "run: no input to predict"),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], message: str) -> None:
    error = CliRunner().invoke(app, ["predict", *arguments]).exception
    assert isinstance(error, hf_tasks.RunError) and str(error).startswith(message)
