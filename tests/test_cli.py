"""The command line: what is printed, where, and the exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hf_tasks import cli
from hf_tasks.core.errors import DataError, RecipeError, RunError, UserError

COMMANDS = [
    "train", "check", "explain", "evaluate", "compare", "predict", "embed", "report", "card", "export", "push",
    "reproduce", "mbr", "demo", "sweep", "lr-find", "recipes",
]  # fmt: skip
COMMAND = [sys.executable, "-m", "hf_tasks"]
GOOD = (
    "name: x\ntask:\n  name: text-classification\ndata:\n  train: train.csv\n  validation_size: 0\n"
    "model:\n  name_or_path: package:nosuchpackage\n"
)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *args: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of the whole program, in this process."""
    monkeypatch.setattr(sys, "argv", ["hf-tasks", *args])
    with pytest.raises(SystemExit) as e:
        cli.main()
    captured = capfd.readouterr()
    return int(e.value.code or 0), captured.out, captured.err


def failure(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *args: str) -> str:
    """The message on standard error of a command that must fail with exit code 2 and print nothing else."""
    code, out, err = run(capfd, monkeypatch, *args)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    return err


def test_help_names_the_commands_and_imports_nothing_heavy() -> None:
    heavy = ["torch", "transformers", "numpy", "datasets", "sklearn", "pydantic", "yaml"]
    code = (
        "import sys\nsys.argv = ['hf-tasks', '--help']\nfrom hf_tasks.cli import main\n"
        f"try:\n    main()\nfinally:\n    print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parent.parent
    )
    assert done.returncode == 0
    for command in COMMANDS:
        assert f" {command} " in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    for option in ("--help", "-h"):
        result = CliRunner().invoke(cli.app, [command, option])
        assert result.exit_code == 0
        assert "Usage:" in result.output


def test_an_unknown_command_is_a_usage_error(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No such command 'trian'" in failure(capfd, monkeypatch, "trian")


@pytest.mark.parametrize("kind", [UserError, RecipeError, DataError, RunError])
def test_a_user_error_is_one_message_and_exit_code_2(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: type[UserError]
) -> None:
    def broken(name: str) -> Path:
        raise kind("here: this; do that")

    monkeypatch.setattr("hf_tasks.core.shipped.find", broken)
    assert failure(capfd, monkeypatch, "recipes", "show", "x") == "error: here: this; do that\n"


def test_other_errors_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Path:
        raise ZeroDivisionError

    monkeypatch.setattr("hf_tasks.core.shipped.find", broken)
    monkeypatch.setattr(sys, "argv", ["hf-tasks", "recipes", "show", "x"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_interruption_is_exit_code_130(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr("hf_tasks.core.shipped.find", interrupted)
    code, out, err = run(capfd, monkeypatch, "recipes", "show", "x")
    assert (code, out) == (130, "")
    assert "Traceback" not in err


def test_a_reader_that_closes_early_gets_no_traceback() -> None:
    script = f"{sys.executable} -m hf_tasks recipes list | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, cwd=Path(__file__).parent.parent, check=False
    )
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_recipes_list_names_every_recipe_with_its_title(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = run(capfd, monkeypatch, "recipes", "list")
    assert code == 0
    names = [line.split()[0] for line in out.splitlines()]
    assert names == sorted(path.stem for path in (Path(cli.__file__).parents[2] / "recipes").glob("*.yaml"))
    quickstart = next(line for line in out.splitlines() if line.startswith("quickstart "))
    assert quickstart.endswith(" Intents of online-banking queries, 10 examples each: Banking77")


def test_recipes_show_prints_the_file_as_it_is(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hf_tasks.core.shipped import FOLDER

    code, out, _ = run(capfd, monkeypatch, "recipes", "show", "quickstart")
    assert code == 0
    assert out == (FOLDER / "quickstart.yaml").read_text(encoding="utf-8")


def test_recipes_copy_never_overwrites(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(capfd, monkeypatch, "recipes", "copy", "quickstart", "mine.yaml")[:2] == (0, "mine.yaml\n")
    assert run(capfd, monkeypatch, "recipes", "copy", "quickstart")[:2] == (0, "quickstart.yaml\n")
    assert Path("mine.yaml").read_text() == Path("quickstart.yaml").read_text()
    again = failure(capfd, monkeypatch, "recipes", "copy", "quickstart", "mine.yaml")
    assert again == "error: mine.yaml: exists already; name another file\n"
    nowhere = failure(capfd, monkeypatch, "recipes", "copy", "quickstart", "none/mine.yaml")
    assert nowhere == "error: none: there is no such folder; create it first\n"


def test_recipes_schema_is_the_schema_of_recipes(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hf_tasks.recipe import Recipe

    code, out, _ = run(capfd, monkeypatch, "recipes", "schema")
    assert code == 0
    assert json.loads(out) == Recipe.model_json_schema()


@pytest.mark.parametrize("command", ["train", "check"])
def test_broken_recipes_and_data_give_one_line_for_each_problem(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    recipe, data = Path("r.yaml"), Path("train.csv")
    assert failure(capfd, monkeypatch, command, "r.yaml") == (
        "error: r.yaml: there is no such file and no shipped recipe of that name; see: hf-tasks recipes list\n"
    )
    recipe.write_text("name: [x\n")
    assert failure(capfd, monkeypatch, command, "r.yaml") == (
        "error: r.yaml:2: not valid YAML: expected ',' or ']', but got '<stream end>'; correct this line\n"
    )
    recipe.write_text(GOOD.replace("validation_size", "validationsize"))
    assert failure(capfd, monkeypatch, command, "r.yaml") == (
        "errors:\n"
        'r.yaml:6: data.validationsize: unknown key; did you mean "validation_size"?\n'
        "r.yaml:5: data.train: train.csv: there is no such file; give the path of a file\n"
    )
    recipe.write_text(GOOD)
    data.write_text("text,label\ngood,a\n,b\nfine,\n")
    assert failure(capfd, monkeypatch, command, "r.yaml") == (
        "errors:\n"
        "train.csv:3: the text is empty; write it or remove the row\n"
        "train.csv:4: the label is empty; give the row a label or remove it\n"
        "data.bad_rows: drop leaves such rows out\n"
    )
    data.write_text("text,label\ngood,a\nbad,b\n")
    assert failure(capfd, monkeypatch, command, "r.yaml", "--set", "training.learning_rate=fast") == (
        "error: --set training.learning_rate=fast: training.learning_rate: input should be a valid number; "
        'found "fast"\n'
    )
    assert failure(capfd, monkeypatch, command, "r.yaml") == (
        "error: r.yaml:8: model.name_or_path: no package 'nosuchpackage' is installed; "
        "check the name, or install the package that you mean\n"
    )
    assert sorted(path.name for path in Path().iterdir()) == ["r.yaml", "train.csv"]


@pytest.mark.parametrize("command", [["evaluate"], ["predict"], ["card"]])
def test_a_folder_without_a_run(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    rest = ["in.csv"] if command == ["predict"] else []
    assert failure(capfd, monkeypatch, *command, "none", *rest) == (
        "error: none: there is no run (no recipe.yaml); give the directory that `train` wrote\n"
    )
