"""The order of the packages: imports point one way, and names are not used twice."""

import ast
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "hf_tasks"
ORDER = (
    ("core",), ("metrics",), ("decoding", "tasks"), ("data",), ("models",), ("methods",), ("recipe",), ("runs",),
    ("publish",), ("training",), ("cli",),
)  # fmt: skip
RANK = {package: rank for rank, packages in enumerate(ORDER) for package in packages}
FILES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))}


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


TASK_NAMES = {path.stem for path in (ROOT / "tasks").iterdir()}
MODULES = {module(path) for path in FILES}


def imports(tree: ast.Module) -> list[str]:
    """Every module of ours that a file imports: at its top, for type checking, and inside functions."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "hf_tasks":
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [name if name in MODULES else str(node.module) for name in names]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] == "hf_tasks"]
    return found


def package(name: str) -> str:
    return (name.split(".") + [""])[1]


def test_the_top_level_holds_the_packages_alone() -> None:
    entries = {path.name for path in ROOT.iterdir() if path.name != "__pycache__"}
    assert entries == {*RANK, "__init__.py", "__main__.py", "py.typed"}


@pytest.mark.parametrize("name", RANK)
def test_a_package_imports_only_packages_before_it(name: str) -> None:
    """`hf_tasks` itself, the public functions, is for the command line alone."""
    files = {path: tree for path, tree in FILES.items() if package(module(path)) == name}
    assert files
    upward = [
        f"{module(path)} imports {imported}"
        for path, tree in files.items()
        for imported in imports(tree)
        if package(imported) != name
        and not (name == "cli" and imported == "hf_tasks")
        and RANK.get(package(imported), len(ORDER)) >= RANK[name]
    ]
    assert upward == []


def test_no_module_imports_itself_through_others() -> None:
    graph = {module(path): {name for name in imports(tree) if name in MODULES} for path, tree in FILES.items()}
    open_, done = list[str](), set[str]()

    def visit(name: str) -> None:
        assert name not in open_, f"a circle of imports: {' -> '.join([*open_[open_.index(name) :], name])}"
        if name in done:
            return
        open_.append(name)
        for imported in sorted(graph[name]):
            visit(imported)
        done.add(open_.pop())

    for name in graph:
        visit(name)
    assert done == set(graph)


def test_no_class_name_is_used_twice() -> None:
    places = defaultdict(list)
    for path, tree in FILES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(module(path))
    assert len(places) > 100
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_file_name_is_used_twice_inside_a_package() -> None:
    """Except for task.py and features.py of a task, and the views named like the task that they show."""
    places = defaultdict(list)
    for path in FILES:
        if path.name not in ("__init__.py", "task.py", "features.py") and path.stem not in TASK_NAMES:
            places[package(module(path)), path.name].append(path)
    assert {key: paths for key, paths in places.items() if len(paths) > 1} == {}


def test_the_order_is_documented() -> None:
    text = (ROOT.parent / "docs" / "structure.md").read_text(encoding="utf-8")
    rows = [text.index(f"`{packages[0]}/`") for packages in ORDER]
    assert all(before < after for before, after in pairwise(rows))
