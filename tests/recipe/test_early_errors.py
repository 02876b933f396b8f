"""What is wrong with a recipe or its data is said before torch is imported, which takes seconds."""

import subprocess
import sys
from pathlib import Path

import pytest

RECIPE = """\
name: early
task: {{name: text-classification, metrics: [{metric}]}}
data: {{train: train.csv}}
model: {{name_or_path: missing}}
"""
COMMAND = """
import sys
import hf_tasks
try:
    hf_tasks.{command}("early.yaml")
except hf_tasks.core.errors.UserError as e:
    print(e)
print({{"torch", "transformers", "peft"}} & sys.modules.keys())
"""


@pytest.mark.parametrize("command", ["check", "train"])
@pytest.mark.parametrize(
    "metric, message",
    [
        ("acuracy", 'early.yaml:2: task.metrics.0: there is no metric "acuracy"'),
        ("accuracy", "train.csv:3: the label is empty"),
    ],
)
def test_no_torch_before_the_data_are_known_good(command: str, metric: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "early.yaml").write_text(RECIPE.format(metric=metric))
    (tmp_path / "train.csv").write_text("text,label\na,yes\nb,\nc,no\n")
    code = COMMAND.format(command=command)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(message) and done.stdout.endswith("\nset()\n")
