"""Every value of a recipe has an origin."""

import json
from pathlib import Path

from hf_tasks.training.explain import explain, lines


def test_each_value_names_its_origin(tmp_path: Path) -> None:
    rows = [{"text": f"row {i}", "label": ("no", "yes")[i % 2]} for i in range(20)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "name: x\ntask:\n  name: text-classification\ndata:\n  train: rows.jsonl\nmodel:\n  name_or_path: org/base\n"
        "method:\n  name: bitfit\ntraining:\n  num_train_epochs: 5\n",
        encoding="utf-8",
    )
    values = {value.key: value for value in explain(path, ("task.max_length=64",))}
    assert (values["name"].value, values["name"].origin) == ("x", f"{path}:1")
    assert (values["method.name"].value, values["method.name"].origin) == ("bitfit", f"{path}:9")
    assert (values["task.max_length"].value, values["task.max_length"].origin) == (64, "--set task.max_length=64")
    assert values["task.labels"].value == ("no", "yes")
    assert values["task.labels"].origin == "from the training data"
    assert values["task.threshold"].origin == (
        "default: Several labels: predict those whose probability is above it, one number for all or one for each"
    )
    assert (values["training.num_train_epochs"].value, values["training.num_train_epochs"].origin) == (5, f"{path}:11")
    assert values["training.learning_rate"].value == 1e-3
    assert values["training.learning_rate"].origin == "hf_tasks' default; transformers has 5e-05"
    assert values["training.train_sampling_strategy"].value == "group_by_length"
    assert "training.output_dir" not in values
    shown = list(lines(list(values.values())))
    assert shown[0].split() == ["name", '"x"', f"{path}:1"]
