"""`init` on datasets in the layouts that people publish: task, columns and files are right."""

from pathlib import Path
from random import Random

import init_layouts as layouts
import pytest
from init_layouts import Layout

from hf_tasks import recipe as recipes
from hf_tasks.core.errors import DataError
from hf_tasks.recipe import resolve, yaml_file
from hf_tasks.recipe.init import propose


@pytest.mark.parametrize(
    "layout", [*layouts.TUNING, *layouts.HELD_BACK, *layouts.LATER, *layouts.LATEST], ids=lambda layout: layout.__name__
)
def test_a_layout_is_recognised(layout: Layout, tmp_path: Path) -> None:
    expected = layout(tmp_path, Random(layouts.SEED))
    written = propose([str(tmp_path)]).recipe
    recipe, splits = resolve.resolve(recipes.validate(yaml_file.parse(written, "layout.yaml")), None)
    files = {
        name: " ".join(sorted(Path(file).name for file in split.files)) if split else ""
        for name, split in vars(splits).items()
    }
    if recipe.data.validation is None:
        files["validation"] = ""  # held out from train
    assert recipe.task.name == expected.task
    assert files == {"train": expected.train, "validation": expected.validation, "test": expected.test}
    assert {key: getattr(recipe.task, key) for key in expected.keys} == expected.keys
    rows = [*splits.train.rows(), *(splits.validation.rows() if splits.validation else ())]
    read = [{name: row.get(name) for name in expected.example} for row in rows]
    assert expected.example in read


def test_all_splits_in_one_file_are_refused(tmp_path: Path) -> None:
    layouts.clinc(tmp_path, Random(layouts.SEED))
    with pytest.raises(DataError) as error:
        propose([str(tmp_path)])
    assert str(error.value) == (
        f"{tmp_path}/data_full.json: an object with several lists (oos_val, val, train, test, oos_train), whose rows "
        'have no names of columns; write each list to a file of its own, with rows such as {"text": ..., "label": ...}'
    )


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (
            layouts.folder_per_label,
            "each text is a file of its own, in folders that may be labels (neg, pos); write one table per split with "
            "the columns text and label",
        ),
    ],
)
def test_layouts_that_cannot_be_read(layout: Layout, message: str, tmp_path: Path) -> None:
    layout(tmp_path, Random(layouts.SEED))
    with pytest.raises(DataError) as error:
        propose([str(tmp_path)])
    assert str(error.value) == f"{tmp_path}: {message}"
