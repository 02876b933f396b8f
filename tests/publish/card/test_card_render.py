import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from hf_tasks.core.errors import RecipeError
from hf_tasks.models.section import Model, Subwords
from hf_tasks.publish.card import render
from hf_tasks.publish.card.write import blocks, metadata
from hf_tasks.recipe import Recipe, from_dict, validate
from hf_tasks.recipe.yaml_file import Source

PARSER = MarkdownIt("commonmark").enable("table")
NAMES = ["summary", "usage", "results", "limits", "data", "training", "recipe", "licence", "citation"]
NASTY = [
    "a|b", "<script>x</script>", "`code`", "**bold**", "![p](x)", "[l](x)", "&lt;", "_i_",
    "<!-- hf_tasks:end results -->",
]  # fmt: skip


def html_of(card: str) -> list[str]:
    """All raw HTML of a card, but for the marks of its generated parts."""
    body = card.partition("\n---\n")[2]
    tokens = [token for top in PARSER.parse(body) for token in (top, *(top.children or []))]
    lines = [line for token in tokens if token.type.startswith("html") for line in token.content.splitlines()]
    return [line for line in lines if line and not re.fullmatch(r"<!-- hf_tasks:(begin|end) \w+ -->", line)]


def inlines(card: str) -> set[str]:
    body = card.partition("\n---\n")[2]
    return {child.type for top in PARSER.parse(body) for child in top.children or []}


def test_the_card_is_a_pure_function_in_named_parts(recipe: Recipe, results: dict[str, Any]) -> None:
    card = render(recipe, results)
    assert card == render(recipe, results)
    assert list(blocks(card)) == NAMES


def test_it_says_what_the_model_is_and_how_good(recipe: Recipe, results: dict[str, Any]) -> None:
    summary = blocks(render(recipe, results))["summary"]
    assert summary == (
        "# intents\n\n"
        "It predicts one of 2 labels for a text. It is `distilbert/distilbert-base-cased`, adapted to Intents by the "
        "method `full` of hf_tasks.\n\n"
        "`accuracy` on test: **0.9125** (40 examples).\n"
    )


def test_a_model_from_scratch_has_no_base_model(recipe: Recipe, results: dict[str, Any]) -> None:
    model = Model(config={"model_type": "marian"}, tokenizer=Subwords())
    results["base"] = {"from": "scratch", "model_type": "marian", "license": None}
    text = render(recipe.model_copy(update={"model": model}), results)
    assert "It is a `marian` model, trained from scratch on Intents with hf_tasks.\n\n" in text
    assert "devlin-etal-2019-bert" not in text
    assert "base model" not in blocks(text)["licence"]


def test_results_are_tables_with_what_the_values_are(recipe: Recipe, results: dict[str, Any]) -> None:
    results["test"]["intervals"] = {"accuracy": [0.8, 0.97]}
    results["test"]["bleu_signature"] = "nrefs:1|case:mixed"
    text = blocks(render(recipe, results))["results"]
    what = "share of examples whose prediction is right; of several labels, all of them"
    assert f"| metric | value | what it is |\n| --- | ---: | --- |\n| `accuracy` | 0.9000 | {what} |\n" in text
    assert f"| `accuracy` | 0.9125 | 0.8000 to 0.9700 | {what} |\n" in text
    assert "`per_class`\n\n|  | precision | support |\n| --- | ---: | ---: |\n| no | 0.5000 | 20 |\n" in text
    assert "`bleu_signature`: `nrefs:1|case:mixed`" in text
    assert "### On validation: 10 examples" in text and "### On test: 40 examples" in text


def test_values_that_are_no_numbers_are_not_written_as_such(recipe: Recipe, results: dict[str, Any]) -> None:
    results["test"] |= {"f1_macro": float("nan"), "mse": float("inf"), "recall_macro": None}
    card = render(recipe, results)
    for name in ("f1_macro", "mse", "recall_macro"):
        assert f"| `{name}` | not defined |" in card
    assert not re.search(r"\b(nan|inf)\b", card, re.IGNORECASE)
    [test] = [one for one in metadata(card)["model-index"][0]["results"] if one["dataset"]["split"] == "test"]
    assert [metric["name"] for metric in test["metrics"]] == ["accuracy"]


def test_data_are_counted_and_named_without_folders(recipe: Recipe, results: dict[str, Any]) -> None:
    text = blocks(render(recipe, results))["data"]
    assert "| train | 100 | 120 | 2 | 7 | a\\|b.csv `0123456789ab` |\n" in text
    assert "| validation (holdout) | 10 | 10 | 0 | 0 |  |\n" in text
    assert "| test | 40 | 40 | 0 | 0 | t.csv `ffffffffffff` |\n" in text
    assert "The validation split was held out from train: a share of 0.1, drawn with seed 42." in text


def test_training_machine_and_energy(recipe: Recipe, results: dict[str, Any]) -> None:
    results["arguments"] = {"seed": 42, "optim": "adamw_torch_fused"}
    text = blocks(render(recipe, results))["training"]
    assert "12 steps, 3 epochs, 1,234 of 1,234,567 parameters trained, in float32; 7.2 s in total." in text
    assert "![Training curve: loss by step](pictures/training_curve.png)" in text
    assert "| `learning_rate` | 3e-05 |\n" in text and "| `optim` | adamw_torch_fused |\n" in text
    assert "No accelerator; 2 cores of A chip; Linux." in text
    assert (
        "Energy: about 0.02 Wh. This is an estimate, not a measurement: 7.2 s at 10.0 W (assumed: 5 W for each of "
        "the 2 cores)." in text
    )
    assert "Versions: Python 3.11.7, hf_tasks 0.1.0, torch 2.13.0." in text


def test_learned_weights_of_layers(recipe: Recipe, results: dict[str, Any]) -> None:
    assert "Weights of the layers" not in render(recipe, results)
    results |= {"layer_weights": [0.25, 0.75], "layer_gamma": 1.5}
    card = render(recipe, results)
    assert "scaled by 1.5000; layer 0 is the embeddings." in card
    assert "| layer | weight |\n| ---: | ---: |\n| 0 | 0.2500 |\n| 1 | 0.7500 |\n" in card
    assert "![Weight of each layer](pictures/layer_weights.png)" in card
    assert "peters-etal-2018-deep" in card


def test_no_token_and_no_folder_of_the_machine_is_on_the_card(values: dict[str, Any], results: dict[str, Any]) -> None:
    values["data"] |= {"columns": {"text": "hf_" + "b" * 30}}
    values["training"] |= {"report_to": "none", "hub_model_id": "https://u:pw@x.org/m"}
    values["model"]["name_or_path"] = "/home/me/models/mine"
    card = render(from_dict(values), results | {"base": {"from": "folder", "model_type": "bert", "license": None}})
    assert "/home/me" not in card and "hf_aaa" not in card and "hf_bbb" not in card and "u:pw" not in card
    assert "run_name: '***'" in card and "train: '.../train.csv'" in card and "name_or_path: '.../mine'" in card
    assert "output_dir" not in card


def test_a_secret_is_taken_out_before_it_is_escaped(values: dict[str, Any], results: dict[str, Any]) -> None:
    secret = "https://ann:pa55_wörd!@host.example/data"
    values["card"] |= {"data_license": f"see {secret}", "limits": secret, "citation": secret}
    results["example"]["input"] = {"text": secret}
    card = render(from_dict(values), results)
    assert "Licence of the data: see https&#58;&#47;&#47;" in card
    assert card.count("\\*\\*\\*") >= 2 and "pa55" not in card and "wörd" not in card


@pytest.mark.parametrize("label", NASTY)
def test_labels_and_texts_bring_no_markup(values: dict[str, Any], results: dict[str, Any], label: str) -> None:
    plain = inlines(render(from_dict(values), results))
    values["task"]["labels"] = [label, f"{label}\n{label}"]
    values["card"] |= {"intended_use": label, "limits": f"# {label}\n\n- {label}", "citation": f"```\n{label}\n```"}
    results["test"]["per_class"] = {label: {label: 0.5, "support": 20}}
    results["example"] = {"input": {"text": f"```\n{label}"}, "prediction": {"label": label, "score": 0.5}}
    results["data"]["train"]["files"] = {f"/x/{label}": "0" * 64}
    results["environment"]["processor"] = label
    card = render(from_dict(values), results)
    assert html_of(card) == []
    assert inlines(card) <= plain | {"text", "softbreak"}
    assert list(blocks(card)) == NAMES


def test_without_results_it_says_so(values: dict[str, Any], results: dict[str, Any]) -> None:
    few = {name: results[name] for name in ("data", "training", "base")}
    card = render(from_dict(values), few)
    assert card.count("Nothing was evaluated: the recipe has no validation and no test split.") == 2
    assert "model-index" not in metadata(card) and "metrics" not in metadata(card)
    assert 'run.predict(text="...")' in card and "```text" not in card
    bare = render(from_dict(values), {})
    assert "The training was not recorded." in bare and "Not stated: the licence" in bare


def test_what_only_people_know_is_left_for_them(values: dict[str, Any], results: dict[str, Any]) -> None:
    card = render(from_dict(values), results)
    assert re.findall(r"\[fill in: ([\w ]+)", card) == [
        "who should use this model and for what", "known errors of this model",
        "the terms of use of the data", "how to cite the data",
    ]  # fmt: skip
    values["card"] |= {"intended_use": "A", "limits": "B", "data_license": "C", "citation": "@misc{d,}"}
    told = render(from_dict(values), results)
    assert "[fill in" not in told and "```bibtex\n@misc{d,}\n```" in told
    assert "More information needed" not in told


def test_what_is_cited(values: dict[str, Any], results: dict[str, Any]) -> None:
    keys = r"^@\w+\{([\w-]+),"
    card = render(from_dict(values), results)
    assert re.findall(keys, card, re.M) == [
        "sanh-2019-distilbert", "wolf-etal-2020-transformers",
    ]  # fmt: skip
    values["method"] = {"name": "bitfit"}
    results["base"]["model_type"] = "bert"
    card = render(from_dict(values), results)
    assert re.findall(keys, card, re.M) == [
        "devlin-etal-2019-bert", "ben-zaken-etal-2022-bitfit", "wolf-etal-2020-transformers",
    ]  # fmt: skip


def test_the_recipe_on_the_card_is_one(recipe: Recipe, results: dict[str, Any]) -> None:
    text = blocks(render(recipe, results))["recipe"]
    found = yaml.safe_load(text.partition("```yaml\n")[2].partition("\n```")[0])
    assert found["task"]["labels"] == ["no", "yes"]
    assert from_dict(found).training.given() == {"learning_rate": 3e-5, "run_name": "***"}


def test_an_adapter_names_its_base_at_its_commit(values: dict[str, Any], results: dict[str, Any]) -> None:
    commit = "0123456789" * 4
    values["method"], values["model"]["revision"] = {"name": "lora"}, commit
    card = render(from_dict(values), results)
    assert f'from_pretrained("distilbert/distilbert-base-cased", revision="{commit}", config=config)' in card
    assert 'config = AutoConfig.from_pretrained("ORG/NAME")' in card and "id2label" not in blocks(card)["usage"]
    assert "It is `distilbert/distilbert-base-cased` at commit `012345678901`, adapted" in card
    values["model"] = {"name_or_path": "package:x"}
    results["base"]["from"] = "package"
    assert "PeftModel.from_pretrained" not in render(from_dict(values), results)
    values["card"]["base_model"] = "org/x"
    card = render(from_dict(values), results)
    assert 'from_pretrained("org/x", config=config)' in card and "name_or_path: org/x" in blocks(card)["recipe"]
    assert "package:x" not in card


def test_the_course_of_the_training_is_a_table(recipe: Recipe, results: dict[str, Any]) -> None:
    results["curve"] = {
        "train": [[5, 0.75], [10, 0.5], [12, 0.25]], "validation": [[10, 0.3, 0.8], [12, 0.25, 0.9]],
    }  # fmt: skip
    results["training"]["best_step"] = 12
    text = blocks(render(recipe, results))["training"]
    assert "| 10 | 0.6250 | 0.3000 | 0.8000 |\n| **12** | 0.2500 | 0.2500 | 0.9000 |\n" in text
    results["curve"]["validation"] = [[step, 0.5, 0.5] for step in range(1, 1001)]
    rows = re.findall(r"^\| \**(\d+)\** \| ", blocks(render(recipe, results))["training"], re.M)
    assert len(rows) == 21 and "12" in rows and rows[-1] == "1000"


def test_what_is_known_of_the_data(recipe: Recipe, results: dict[str, Any]) -> None:
    results |= {
        "checked": ["texts that are also in train: 9 of 40 in test"],
        "labels": {"train": {"yes": 60, "n|o": 40}, "test": {"yes": 40}},
        "samples": [{"text": "Is <it>?", "label": "yes"}],
        "baseline": {"what": "the most frequent label", "parts": {"test": {"accuracy": 0.5}}},
    }
    card = render(recipe, results)
    text = blocks(card)["data"]
    assert "The data checks found:\n\n- texts that are also in train: 9 of 40 in test\n" in text
    assert "| label | train | test |\n| --- | ---: | ---: |\n| yes | 60 | 40 |\n| n\\|o | 40 | 0 |\n" in text
    assert "| text | label |\n| --- | --- |\n| Is &lt;it&gt;? | yes |\n" in text
    assert "Baseline, the most frequent label: on test `accuracy` 0.5000.\n" in blocks(card)["results"]
    results["checked"] = []
    assert "The data checks found no duplicates, contradictions, leaks or near-leaks" in render(recipe, results)


def test_arguments_without_effect_are_not_shown(recipe: Recipe, results: dict[str, Any]) -> None:
    results["arguments"] = {"max_steps": -1, "log_on_each_node": True, "seed": 42}
    text = blocks(render(recipe, results))["training"]
    assert "| `seed` | 42 |" in text and "max_steps" not in text and "log_on_each_node" not in text


def test_a_template_of_ones_own(values: dict[str, Any], results: dict[str, Any], tmp_path: Path) -> None:
    values["card"]["template"] = "mine.jinja"
    (tmp_path / "mine.jinja").write_text(
        '{% extends "text-classification.md.jinja" %}{% block purpose %}Ours: {{ super() }}{% endblock %}'
    )
    card = render(from_dict(values), results, folder=tmp_path)
    assert "Ours: It predicts one of 2 labels for a text." in " ".join(card.split())
    (tmp_path / "mine.jinja").write_text("{{ nothing }}")
    with pytest.raises(RecipeError) as e:
        render(from_dict(values), results, folder=tmp_path)
    assert str(e.value) == (
        "card.template: mine.jinja cannot be used (UndefinedError: 'nothing' is undefined); "
        "correct it or remove the key"
    )


def test_a_template_that_is_not_there_is_a_problem_of_the_recipe(values: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\n")
    values["data"]["train"], values["card"]["template"] = "train.csv", "mine.jinja"
    with pytest.raises(RecipeError) as e:
        validate(Source("recipe", values), recipe_dir=tmp_path)
    assert str(e.value) == "recipe: card.template: there is no file mine.jinja next to the recipe; name one"


@pytest.mark.parametrize(
    "text", ["{{ recipe.__class__.__mro__ }}", "{{ results.update({}) }}"], ids=["no inner parts", "nothing is changed"]
)
def test_a_template_can_only_read(values: dict[str, Any], results: dict[str, Any], tmp_path: Path, text: str) -> None:
    values["card"]["template"] = "mine.jinja"
    (tmp_path / "mine.jinja").write_text(text)
    with pytest.raises(RecipeError, match="SecurityError"):
        render(from_dict(values), results, folder=tmp_path)
