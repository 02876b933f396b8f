"""The folder of a Hub Space with the page of a run: app.py, requirements.txt, README.md, and copies if needed.

The Space downloads a run of the Hub; another run is copied, without local paths. hf_tasks is installed from the same
package index or git repository as here; if it was installed from a folder, it is copied, too.
"""

import json
import shutil
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import gradio as gr
from huggingface_hub import SpaceCardData
from packaging.requirements import Requirement

from hf_tasks.core.checkpoint_paths import PACKAGE
from hf_tasks.core.errors import RunError
from hf_tasks.core.files import atomic_folder
from hf_tasks.publish.card import markdown, metadata
from hf_tasks.publish.card.metadata import MODEL_ID
from hf_tasks.publish.hub import files
from hf_tasks.recipe.sections import wrong_name
from hf_tasks.runs import model_files
from hf_tasks.runs.run import Run

COPY = "run"
"""The folder of a copied run."""
PYTHON = "3.11"
APP = '''"""The page of a run of hf_tasks: python app.py"""

from pathlib import Path

from hf_tasks import load_run
from hf_tasks.publish import demo

RUN = {run}

if __name__ == "__main__":
    demo.serve(load_run(RUN))
'''


@dataclass(frozen=True)
class Needs:
    """How the Space gets hf_tasks: lines of requirements.txt, and whether its files are copied."""

    requirements: list[str]
    copied: bool


def write(run: Run, out: Path, repo_id: str | None) -> list[str]:
    """Write the folder of a Space; returns the next steps, as lines. `repo_id`: ORG/NAME or ORG/NAME@REVISION of a run
    on the Hub.

    Raises RunError if the folder is not empty, the name is not valid, or the run is incomplete.
    """
    if repo_id and (problem := wrong_name(repo_id.partition("@")[0])):
        raise RunError(f"--repo-id: {problem}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out}: is not an empty folder; name another one")
    needs = _needs(run)
    copied = [] if repo_id else files.stage(run.path, MODEL_ID)
    try:
        with atomic_folder(out) as folder:
            _fill(folder, run, repo_id, needs)
            for file in copied:
                (folder / COPY / file.name).parent.mkdir(parents=True, exist_ok=True)
                (folder / COPY / file.name).write_bytes(file.read())
    except OSError as e:
        raise RunError(f"{out}: cannot be written: {e.strerror}; name another folder") from None
    return _lines(out, repo_id, needs)


def _fill(folder: Path, run: Run, repo_id: str | None, needs: Needs) -> None:
    place = repr(repo_id) if repo_id else f'Path(__file__).parent / "{COPY}"'
    app = APP if not repo_id else APP.replace("from pathlib import Path\n\n", "")
    (folder / "app.py").write_text(app.format(run=place), encoding="utf-8")
    (folder / "requirements.txt").write_text("\n".join(needs.requirements) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_readme(run, repo_id), encoding="utf-8")
    if needs.copied:
        package = Path(__file__).parents[2]
        shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))


def _readme(run: Run, repo_id: str | None) -> str:
    name = repo_id and repo_id.partition("@")[0]
    about = SpaceCardData(
        title=run.recipe.name,
        sdk="gradio",
        sdk_version=gr.__version__,
        python_version=PYTHON,
        app_file="app.py",
        license=metadata.license(run.recipe, run.results),
        models=[name] if name else None,
        pinned=False,
    )
    what = f"[{name}](https://huggingface.co/{name})" if name else f"the run in `{COPY}/`"
    return (
        f"---\n{about.to_yaml()}\n---\n\n# {markdown.escape(run.recipe.name)}\n\nAn interactive demo of {what}, a "
        f"model for {run.recipe.task.name}. To run it on your machine:\n\n"
        f"```\npip install gradio=={gr.__version__} -r requirements.txt\npython app.py\n```\n"
    )


def _needs(run: Run) -> Needs:
    base = run.recipe.model.name_or_path
    extra = _package(base) if base.startswith(PACKAGE) and model_files.saved_as(run.recipe) != "model" else []
    try:
        installed = distribution("hf_tasks")
    except PackageNotFoundError:
        raise RunError(
            "the requirements of a Space are read from the installed hf_tasks; install it with pip first"
        ) from None
    match json.loads(installed.read_text("direct_url.json") or "{}"):
        case {"url": url, "vcs_info": {"vcs": "git", "commit_id": commit}}:
            return Needs([f"hf_tasks[demo] @ git+{url}@{commit}", *extra], copied=False)
        case {"url": _}:
            return Needs([*_dependencies(installed), *extra], copied=True)
    return Needs([f"hf_tasks[demo]=={installed.version}", *extra], copied=False)


def _dependencies(installed: Distribution) -> list[str]:
    """The requirements of hf_tasks without extras."""
    needed = map(Requirement, installed.requires or [])
    return sorted(str(one) for one in needed if one.marker is None or one.marker.evaluate({"extra": ""}))


def _package(base: str) -> list[str]:
    """The requirement of a checkpoint that is a package."""
    name = packages_distributions()[base.removeprefix(PACKAGE)][0]
    return [f"{name}=={distribution(name).version}"]


def _lines(out: Path, repo_id: str | None, needs: Needs) -> list[str]:
    source = "copied into it" if needs.copied else needs.requirements[0]
    model = f"{repo_id}, downloaded by the Space; if it is private, add a secret HF_TOKEN with read access to the Space"
    return [
        f"{out}: the folder of a Space",
        f"  the run    {model if repo_id else f'copied to {COPY}/'}",
        f"  hf_tasks   {source}",
        f"try it: pip install -r {out}/requirements.txt && python {out}/app.py",
        "publish it:",
        "  hf repos create ORG/SPACE --type space --sdk gradio",
        f"  hf upload ORG/SPACE {out} --type space",
    ]
