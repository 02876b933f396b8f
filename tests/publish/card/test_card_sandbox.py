"""Templates of strangers: they see plain data, read no file but templates beside the recipe, and change nothing."""

import ast
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from hf_tasks.core.errors import RecipeError
from hf_tasks.publish.card import checks
from hf_tasks.publish.card.markdown import literal
from hf_tasks.publish.card.render import render, snippet_input
from hf_tasks.publish.card.sandbox import find_template, plain
from hf_tasks.publish.card.write import blocks
from hf_tasks.recipe import from_dict

ATTACKS = [
    "{{ recipe.output_dir.joinpath('PROOF').write_text('x') }}",
    "{{ recipe.training.output_dir.joinpath('PROOF') }}",
    "{{ recipe.__class__ }}",
    "{{ task.head_config.__globals__ }}",
    "{{ tables.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'].system('touch PROOF') }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ '{0.__class__}'.format(metadata) }}",
    "{{ metadata.format.__self__.__class__ }}",
    "{{ results.update({}) }}",
    "{{ ''|attr('__class__') }}",
    "{{ (namespace()).__class__ }}",
    "{% include '/etc/passwd' %}",
    "{% include '../secret.jinja' %}",
    "{% include 'secret.txt' %}",
    "{% include 'link.jinja' %}",
    "{% import 'os' as os %}",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_a_template_cannot_leave_its_data(
    values: dict[str, Any], results: dict[str, Any], tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "recipe"
    folder.mkdir()
    monkeypatch.chdir(folder)
    values["card"]["template"] = "mine.jinja"
    (folder / "mine.jinja").write_text(f"BEFORE {text}")
    (tmp_path / "secret.jinja").write_text("SECRET")
    (folder / "secret.txt").write_text("SECRET")
    (folder / "link.jinja").symlink_to(tmp_path / "secret.jinja")
    with pytest.raises(RecipeError) as e:
        render(from_dict(values), results, folder=folder)
    assert str(e.value).startswith("card.template: mine.jinja cannot be used (")
    assert "SECRET" not in str(e.value)
    assert sorted(path.name for path in folder.iterdir()) == ["link.jinja", "mine.jinja", "secret.txt"]


@pytest.mark.parametrize(
    "name", ["../a.jinja", "/etc/passwd", "a/../../b.jinja", ".hidden.jinja", "a.txt", "/a.jinja", "a\n.jinja"]
)
def test_a_template_is_a_file_beside_the_recipe(values: dict[str, Any], name: str) -> None:
    values["card"]["template"] = name
    with pytest.raises(RecipeError) as e:
        from_dict(values)
    assert str(e.value) == ("recipe: card.template: name a file that ends in .jinja, in the recipe's folder or below")


def test_a_template_without_a_folder_is_not_used(values: dict[str, Any], results: dict[str, Any]) -> None:
    plain_card = render(from_dict(values), results)
    values["card"]["template"] = "mine.jinja"
    assert render(from_dict(values), results) == plain_card


def test_templates_in_a_folder_count_only_where_the_recipe_names_one(
    values: dict[str, Any], results: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "card.md.jinja").write_text("not asked for")
    assert render(from_dict(values), results, folder=tmp_path) == render(from_dict(values), results)


def test_templates_below_the_folder_are_found_and_links_out_of_it_are_not(tmp_path: Path) -> None:
    (tmp_path / "in" / "deeper").mkdir(parents=True)
    (tmp_path / "in" / "deeper" / "a.jinja").write_text("a")
    (tmp_path / "out.jinja").write_text("b")
    (tmp_path / "in" / "link.jinja").symlink_to("../out.jinja")
    assert find_template("deeper/a.jinja", tmp_path / "in") == tmp_path / "in" / "deeper" / "a.jinja"
    assert find_template("link.jinja", tmp_path / "in") is None
    assert find_template("../out.jinja", tmp_path / "in") is None


def test_plain_data_only() -> None:
    data = {"a": [1, 2.5, None, True, "x", Markup("<b>")], "b": {"c": ("d",)}}
    assert plain(data) == {"a": [1, 2.5, None, True, "x", Markup("<b>")], "b": {"c": ["d"]}}
    for thing in (Path("/"), print, object(), {"a": [Path()]}, type("Text", (str,), {})("x")):
        with pytest.raises(TypeError, match="^a template gets plain data, not a "):
            plain(thing)


# -- what is printed as code

HOSTILE = {"text": "x", "a=exec('raise SystemExit'), b": "x", "__class__": "y", "text_pair": '"); import os #'}


def test_only_columns_of_the_task_become_arguments(values: dict[str, Any], results: dict[str, Any]) -> None:
    results["example"]["input"] = HOSTILE
    recipe = from_dict(values)
    assert snippet_input(recipe, results) == {"text": "x", "text_pair": HOSTILE["text_pair"]}
    snippets = [code for _, code, _, _ in checks.SNIPPET.findall(blocks(render(recipe, results))["usage"])]
    assert len(snippets) == 2
    for code in snippets:
        names = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
        assert names <= {"hf_tasks", "run", "prediction", "print", "pipeline", "classify", "text"}


@pytest.mark.parametrize("task", ["text-classification", "token-classification", "question-answering", "translation"])
@pytest.mark.parametrize(
    "text", ['a"b', "a\\", 'x")\nimport os\n#', "```\n```python\nimport os\n```", "\u2028import os\x00"]
)
def test_a_text_stays_a_literal_in_every_snippet(
    values: dict[str, Any], results: dict[str, Any], task: str, text: str
) -> None:
    predictions = {
        "text-classification": ({"text": text}, {"label": text, "score": 0.5}),
        "token-classification": ({"text": text}, {"tags": [text], "tokens": [text]}),
        "question-answering": ({"question": text, "context": text}, {"answer": text}),
        "translation": ({"source": text}, {"prediction": text}),
    }
    values["task"] = {"name": task}
    if task == "text-classification":
        values["task"] |= {"labels": ["a", text], "problem_type": "single_label_classification"}
    if task == "token-classification":
        values["task"] |= {"labels": ["O", text], "scheme": "none"}
    example, prediction = predictions[task]
    results |= {"example": {"input": example, "prediction": prediction}, "curve": {"train": [], "validation": []}}
    usage = blocks(render(from_dict(values), results))["usage"]
    snippets = [code for _, code, _, _ in checks.SNIPPET.findall(usage)]
    assert len(snippets) == 2
    for code in snippets:
        imported = {
            alias.name if isinstance(node, ast.Import) else node.module
            for node in ast.walk(ast.parse(code))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert imported <= {"hf_tasks", "torch", "transformers"}


def test_literals_are_python() -> None:
    for thing in [True, None, 1, -2.5, 'a"b\\\n', ["x", False, {"a": None}], {"b": [1]}, "\u202e", "é"]:
        assert ast.literal_eval(str(literal(thing))) == thing
    assert eval(str(literal([float("inf"), -float("inf")]))) == [float("inf"), -float("inf")]
    with pytest.raises(TypeError, match="not plain data: PosixPath"):
        literal(Path("/"))
