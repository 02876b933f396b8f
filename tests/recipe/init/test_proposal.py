"""Data to a recipe: its text, word by word; and that it trains as it stands."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import init_kinds as kinds
import pytest
from conftest import Tiny

import hf_tasks
from hf_tasks import recipe as recipes
from hf_tasks.core.errors import DataError, RecipeError
from hf_tasks.recipe import resolve, yaml_file
from hf_tasks.recipe.init import Wishes, propose, write


@dataclass(frozen=True)
class Kind:
    data: kinds.Write
    task: str
    resolved: dict[str, Any]
    """Values of the task that only the data can tell."""
    sizes: dict[str, int]


HELD_OUT = {"train": 48, "validation": 12}
KINDS = [
    Kind(kinds.single_label, "text-classification", {"labels": ("1", "2", "3", "4", "5")}, HELD_OUT),
    Kind(kinds.binary, "text-classification", {"labels": ("False", "True")}, HELD_OUT),
    Kind(kinds.splits, "text-classification", {"labels": ("a", "b")}, {"train": 60, "validation": 20, "test": 10}),
    Kind(kinds.parquet, "text-classification", {"labels": ("neg", "pos")}, HELD_OUT),
    Kind(kinds.label_lists, "text-classification", {"labels": ("fear", "joy")}, HELD_OUT),
    Kind(
        kinds.separated_labels, "text-classification",
        {"labels": ("comedy", "crime", "drama", "war"), "label_separator": ";"}, HELD_OUT,
    ),
    Kind(kinds.flags, "text-classification", {"labels": ("toxic", "severe", "obscene")}, HELD_OUT),
    Kind(kinds.regression, "text-classification", {"problem_type": "regression", "pairs": True}, HELD_OUT),
    Kind(
        kinds.pairs, "text-classification", {"labels": ("contradiction", "entailment", "neutral"), "pairs": True},
        HELD_OUT,
    ),
    Kind(kinds.entities, "token-classification", {"scheme": "IOB2"}, {"train": 40, "validation": 10}),
    Kind(
        kinds.parts_of_speech, "token-classification", {"labels": ("NOUN", "PUNCT", "VERB")},
        {"train": 24, "validation": 6},
    ),
    Kind(kinds.tag_numbers, "token-classification", {"labels": ("0", "1", "2")}, HELD_OUT),
    Kind(kinds.spans, "token-classification", {"labels": ("O", "B-PER", "I-PER")}, HELD_OUT),
    Kind(kinds.segmentation, "token-classification", {"scheme": "segmentation"}, {"train": 20, "validation": 20}),
    Kind(kinds.squad, "question-answering", {"version_2_with_negative": False}, {"train": 10, "validation": 10}),
    Kind(kinds.squad_2, "question-answering", {"version_2_with_negative": True}, {"train": 10, "validation": 10}),
    Kind(kinds.summaries, "summarization", {"metrics": ("rougeL",)}, HELD_OUT),
    Kind(kinds.parallel, "translation", {"target_language": "de"}, {"train": 40, "validation": 10}),
    Kind(kinds.translation_dict, "translation", {"target_language": "fr"}, HELD_OUT),
    Kind(kinds.corrections, "text2text-generation", {"metrics": ("gleu", "bleu")}, {"train": 32, "validation": 8}),
    Kind(kinds.any_texts, "text2text-generation", {"prefix": ""}, HELD_OUT),
    Kind(kinds.plain_texts, "fill-mask", {"packing": True}, HELD_OUT),
    Kind(kinds.choices, "multiple-choice", {"questions": True}, HELD_OUT),
    Kind(kinds.pronouns, "coreference", {"metrics": ("coreference_f1", "accuracy", "nll")}, HELD_OUT),
    Kind(kinds.anchors, "sentence-similarity", {"target": "positive", "loss_function": "in-batch"}, HELD_OUT),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.data.__name__)
def test_a_proposal_trains_as_it_stands(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = kind.data(tmp_path)
    monkeypatch.chdir(tmp_path)
    path = write(propose(data), None, overwrite=False)
    recipe, splits = resolve.resolve(recipes.load(path), path.parent)
    assert recipe.task.name == kind.task
    assert {key: getattr(recipe.task, key) for key in kind.resolved} == kind.resolved
    assert {name: len(split) for name, split in splits.named().items()} == kind.sizes
    assert 14 <= len(path.read_text(encoding="utf-8").splitlines()) <= 30


def test_one_label_of_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds.single_label(tmp_path)
    monkeypatch.chdir(tmp_path)
    proposal = propose(["reviews.csv"])
    assert proposal.name == "reviews"
    assert proposal.recipe == SINGLE_LABEL
    assert proposal.report == [
        "reviews.csv: train, 60 rows",
        '  task      text-classification, one of 5 labels: the column "stars" has 5 different values',
        "  or        if the numbers are a scale: columns: {score: stars} predicts a number",
        "  labels    5: 1 12, 2 12, 3 12, 4 12, 5 12",
        "  lengths   9 words on average, 99 % have at most 10",
        "  not used  review_id (identifier), date (date), link (url), product (constant)",
    ]


SINGLE_LABEL = """\
# Proposed by hf-tasks init from reviews.csv; edit it as you need.
name: reviews
task:
  name: text-classification             # one of 5 labels: the column "stars" has 5 different values
  max_length: 32                        # tokens; 99 % of the texts have at most 10 words
  metrics: [accuracy, f1]               # accuracy selects the checkpoint: the labels are balanced
  # if the numbers are a scale: columns: {score: stars} predicts a number
data:
  train: reviews.csv                    # 60 rows
  validation_size: 0.2                  # no validation file: this share of train is held out
  columns: {text: review, label: stars} # the task's name of a column: its name in the files
model:
  # English; small and fast; bert-base-uncased is slower and slightly better
  name_or_path: distilbert/distilbert-base-uncased
# method: {name: gradual-unfreezing}    # worth trying with few examples: the head first, then one more block at a time
training:
  learning_rate: 5e-5                   # usual for models of BERT's size
  num_train_epochs: 10                  # about 40 steps; few examples need more epochs, many need fewer
  batch_size: 16
"""


def test_entities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds.entities(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert propose(["names"]).recipe == ENTITIES


ENTITIES = """\
# Proposed by hf-tasks init from names/train.conll and 1 more; edit it as you need.
name: names
task:
  # named entities: the column "tags" has a tag for each word of "tokens", 3 different ones
  name: token-classification
  max_length: 32                        # tokens; 99 % of the texts have at most 10 words
  # other columns of tags: column_2; columns: {tags: NAME}
data:
  data_dir: names
  train: train.conll                    # 40 rows
  validation: dev.conll                 # 10 rows
model:
  name_or_path: distilbert/distilbert-base-cased # English; cased: capital letters mark names
# method: {name: gradual-unfreezing}    # worth trying with few examples: the head first, then one more block at a time
training:
  learning_rate: 5e-5                   # usual for models of BERT's size
  num_train_epochs: 10                  # about 30 steps; few examples need more epochs, many need fewer
  batch_size: 16
"""


def test_translation_of_parallel_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = kinds.parallel(tmp_path / "captions")
    monkeypatch.chdir(tmp_path / "captions")
    assert propose([Path(name).name for name in data]).recipe == PARALLEL


PARALLEL = """\
# Proposed by hf-tasks init from train.en and 3 more; edit it as you need.
name: captions
task:
  name: translation                     # English to German: parallel files of English and German
  prefix: "translate English to German: " # as in T5's pretraining
  source_language: en
  target_language: de
  max_length: 32                        # tokens; 99 % of the texts have at most 10 words
  max_target_length: 32                 # tokens; 99 % of the texts have at most 6 words
data:
  train: {source: train.en, target: train.de} # 40 rows
  validation: {source: val.en, target: val.de} # 10 rows
model:
  name_or_path: google-t5/t5-small      # generates texts; English
training:
  learning_rate: 3e-4                   # usual for T5
  num_train_epochs: 10                  # about 30 steps; few examples need more epochs, many need fewer
  batch_size: 16
"""


def test_what_else_it_could_be_works_too(tmp_path: Path) -> None:
    proposal = propose(kinds.single_label(tmp_path))
    assert "  # if the numbers are a scale: columns: {score: stars} predicts a number\n" in proposal.recipe
    assert proposal.recipe.count("label: stars") == 1
    changed = "\n".join(
        line for line in proposal.recipe.replace("label: stars", "score: stars").splitlines() if "metrics" not in line
    )
    recipe = recipes.validate(yaml_file.parse(changed, "changed.yaml"))
    assert resolve.resolve(recipe, None)[0].task.problem_type == "regression"  # type: ignore[union-attr]


def test_a_model_from_nothing_is_a_comment_that_works(tmp_path: Path) -> None:
    kinds.lines(tmp_path / "train.en", map(kinds.text, range(10_000)))
    kinds.lines(tmp_path / "train.de", (f"Der Film war zu lang {i}" for i in range(10_000)))
    written = propose([str(tmp_path / "train.en"), str(tmp_path / "train.de")]).recipe.splitlines()
    start = next(i for i, line in enumerate(written) if "to train from scratch" in line)
    assert "name_or_path" in written[start - 1]
    changed = [*written[: start - 1], *(line.replace("# ", "", 1) for line in written[start + 1 : start + 4])]
    recipe = recipes.validate(yaml_file.parse("\n".join([*changed, *written[start + 4 :]]), "changed.yaml"))
    assert recipe.model.title == "marian from scratch"


def test_a_method_for_few_rows_is_a_comment_that_works(tmp_path: Path) -> None:
    written = propose(kinds.single_label(tmp_path)).recipe
    assert "\n# method: {name: gradual-unfreezing}" in written
    changed = written.replace("# method:", "method:")
    assert recipes.validate(yaml_file.parse(changed, "changed.yaml")).method.name == "gradual-unfreezing"


def test_the_users_model(tmp_path: Path) -> None:
    recipe = propose(kinds.single_label(tmp_path), "org/base").recipe
    assert "\n  name_or_path: org/base                # given by --model\n" in recipe


@pytest.mark.parametrize("architecture", ["bert", "t5"])
def test_rate_and_length_follow_the_users_model(architecture: str, tiny: Tiny, tmp_path: Path) -> None:
    """The tiny encoder reads 64 tokens."""
    data = kinds.csv(tmp_path, "long.csv", "text,label", lambda i: f"{kinds.text(i, 12)},{'ab'[i % 2]}")
    recipe = yaml_file.parse(propose(data, str(tiny(architecture))).recipe, "long.yaml").values
    rate, length = {"bert": (2e-4, 64), "t5": (3e-4, 152)}[architecture]
    assert recipe["training"]["learning_rate"] == rate
    assert recipe["task"]["max_length"] == length


CHECKED = (kinds.single_label, kinds.pairs, kinds.regression, kinds.flags, kinds.entities, kinds.squad, kinds.parallel)


@pytest.mark.parametrize("data", CHECKED, ids=lambda data: data.__name__)
def test_the_recipe_passes_check_with_the_model_it_names(data: kinds.Write, tiny: Tiny, tmp_path: Path) -> None:
    """An encoder that must write texts gets a copy of itself as decoder."""
    path = write(propose(data(tmp_path), str(tiny("bert"))), tmp_path / "recipe.yaml", overwrite=False)
    report = "\n".join(hf_tasks.check(path, dry_run=False))
    assert "  trained    " in report


def test_the_users_words_choose_task_and_columns(tmp_path: Path) -> None:
    def row(i: int) -> str:
        return f"{kinds.text(i)},{kinds.text(i + 3)},{'ab'[i % 2]},{i % 7 / 2}"

    data = kinds.csv(tmp_path, "both.csv", "first,second,topic,grade", row)
    seen = propose(data).report
    other = 'a number: the column "grade" has numbers from 0 to 3; --task text-classification --text {} --label grade'
    assert [line for line in seen if other.format("first") in line or other.format("second") in line]
    wishes = Wishes(text="second", pair="first", label="grade")
    columns = yaml_file.parse(propose(data, wishes=wishes).recipe, "both.yaml").values["data"]["columns"]
    assert columns == {"text": "second", "text_pair": "first", "score": "grade"}
    with pytest.raises(DataError) as e:
        propose(data, wishes=Wishes(label="grad"))
    assert str(e.value) == (
        f'--label grad: {data[0]} has no such column; did you mean "grade"? (it has first, second, topic, grade)'
    )
    with pytest.raises(DataError) as e:
        propose(data, wishes=Wishes(task="question-answering"))
    assert "--task question-answering: impossible with the columns first (" in str(e.value)


def test_a_test_file_never_trains(tmp_path: Path) -> None:
    data = kinds.csv(tmp_path, "subtask1_test_gold.csv", "text,label", lambda i: f"{kinds.text(i)},{i % 2}")
    with pytest.raises(DataError) as e:
        propose(data)
    told = "the name is that of a test file, not for training; give a train file, or rename it"
    assert str(e.value) == f"{data[0]}: {told}"


def test_a_column_that_names_the_splits(tmp_path: Path) -> None:
    def row(i: int) -> str:
        return f"{kinds.text(i)},{i % 2},{('TRAIN', 'TEST')[i % 3 == 0]}"

    data = kinds.csv(tmp_path, "all.csv", "text,label,fold", row)
    with pytest.raises(DataError) as e:
        propose(data)
    assert str(e.value) == (
        f'{data[0]}: the column "fold" says which rows are for testing (TRAIN 40, TEST 20); write each split to its '
        "own file: a model must not be trained on test examples"
    )


def test_a_recipe_is_never_overwritten_unasked(tmp_path: Path) -> None:
    proposal = propose(kinds.single_label(tmp_path))
    path = tmp_path / "recipe.yaml"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(RecipeError) as e:
        write(proposal, path, overwrite=False)
    assert str(e.value) == f"{path}: exists already; name another file with -o, or give --overwrite"
    assert path.read_text(encoding="utf-8") == "mine"
    assert write(proposal, path, overwrite=True).read_text(encoding="utf-8") == proposal.recipe


def test_rows_that_cannot_be_used_are_left_out(tmp_path: Path) -> None:
    data = kinds.csv(tmp_path, "holes.csv", "text,label", lambda i: f"{kinds.text(i)},{'ab'[i % 2] if i % 10 else ''}")
    recipe = recipes.validate(yaml_file.parse(propose(data).recipe, "holes.yaml"))
    assert recipe.data.bad_rows == "drop"
    _, splits = resolve.resolve(recipe, None)
    assert len(splits.train) + len(splits.validation or ()) == 54


def test_an_unlabelled_test_part_is_not_named(tmp_path: Path) -> None:
    kinds.csv(tmp_path, "train.tsv", "sentence\tlabel", lambda i: f"{kinds.text(i)}\t{i % 2}")
    kinds.csv(tmp_path, "test.tsv", "sentence\tlabel", lambda i: f"{kinds.text(i)}\t-1")
    proposal = propose([str(tmp_path)])
    assert f"  note      {tmp_path / 'test.tsv'}: has no labels that train has" in proposal.report
    assert "\n  test:" not in proposal.recipe


def test_of_many_rows_a_sample_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hf_tasks.recipe.init.proposal.READ_WHOLE", 59)
    note = "  note      there are many rows, so not all were checked; hf-tasks check checks them"
    assert propose(kinds.single_label(tmp_path)).report[-1] == note


def test_skewed_labels_are_measured_by_macro_f1(tmp_path: Path) -> None:
    data = kinds.csv(tmp_path, "spam.csv", "text,label", lambda i: f"{kinds.text(i)},{'ham' if i % 6 else 'spam'}")
    recipe = propose(data).recipe
    told = "macro F1 first: the most frequent label has 5 times the examples of the rarest"
    assert f"\n  metrics: [f1, accuracy, per_class]    # {told}\n" in recipe
