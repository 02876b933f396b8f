from typing import Any

import pytest
from huggingface_hub import ModelCard

from hf_tasks.metrics import hub_name
from hf_tasks.publish.card import render
from hf_tasks.publish.card.metadata import metadata
from hf_tasks.recipe import Recipe, from_dict


def test_all_that_the_hub_reads(values: dict[str, Any], results: dict[str, Any]) -> None:
    values["card"] |= {"datasets": ["org/intents"]}
    found = ModelCard(render(from_dict(values), results)).data.to_dict()
    facts = {"type": "org/intents", "name": "Intents"}
    assert found == {
        "language": "en",
        "license": "apache-2.0",
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "base_model": "distilbert/distilbert-base-cased",
        "base_model_relation": "finetune",
        "datasets": ["org/intents"],
        "metrics": ["accuracy"],
        "tags": ["hf_tasks", "full"],
        "model-index": [
            {
                "name": "intents",
                "results": [
                    {
                        "task": {"type": "text-classification"},
                        "dataset": {**facts, "split": "validation", "args": {"examples": 10, "sha256": []}},
                        "metrics": [{"type": "accuracy", "value": 0.9, "name": "accuracy"}],
                    },
                    {
                        "task": {"type": "text-classification"},
                        "dataset": {**facts, "split": "test", "args": {"examples": 40, "sha256": ["f" * 12]}},
                        "metrics": [{"type": "accuracy", "value": 0.91254, "name": "accuracy"}],
                    },
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("method", "library", "relation"),
    [
        ({"name": "full"}, "transformers", "finetune"),
        ({"name": "bottleneck-adapter"}, "hf_tasks", "adapter"),
        ({"name": "lora"}, "peft", "adapter"),
    ],
    ids=["model", "trained", "peft"],
)
def test_library_and_relation_follow_from_how_the_model_is_saved(
    values: dict[str, Any], results: dict[str, Any], method: dict[str, Any], library: str, relation: str
) -> None:
    data = metadata(from_dict(values | {"method": method}), results)
    assert (data.library_name, data["base_model_relation"]) == (library, relation)


@pytest.mark.parametrize("place", ["folder", "package"])
def test_a_base_model_that_is_not_on_the_hub_has_no_id_unless_it_is_named(
    values: dict[str, Any], results: dict[str, Any], place: str
) -> None:
    values["model"]["name_or_path"] = "runs/mine"
    results["base"]["from"] = place
    data = metadata(from_dict(values), results)
    assert (data.base_model, data.get("base_model_relation")) == (None, None)
    values["card"]["base_model"] = "org/base"
    assert metadata(from_dict(values), results).base_model == "org/base"


@pytest.mark.parametrize(
    ("base", "own", "license", "words"),
    [
        ("mit", None, "mit", "`mit`, from the card of the base model."),
        ("mit", "apache-2.0", "apache-2.0", "`apache-2.0`; the card of the base model says `mit`."),
        (None, "apache-2.0", "apache-2.0", "`apache-2.0`."),
        (None, None, None, "Not stated: the licence of the base model is unknown, and the recipe names none."),
    ],
)
def test_the_licence_is_known_or_left_out(
    values: dict[str, Any], results: dict[str, Any], base: str | None, own: str | None, license: str, words: str
) -> None:
    values["card"]["license"] = own
    results["base"]["license"] = base
    card = render(from_dict(values), results)
    assert ModelCard(card).data.get("license") == license
    assert f"## Licence\n\n{words}\n" in card


def test_several_languages(values: dict[str, Any], results: dict[str, Any]) -> None:
    values["card"]["language"] = ["en", "de"]
    assert metadata(from_dict(values), results).language == ["en", "de"]
    del values["card"]["language"]
    assert metadata(from_dict(values), results).language is None


def test_a_data_set_of_the_hub_is_named(values: dict[str, Any], results: dict[str, Any], recipe: Recipe) -> None:
    values["data"] = {"path": "org/set", "name": "small", "revision": "main", "train": "train", "test": "test"}
    commit = "0123456789" * 4
    results["data"]["test"]["files"] = {f"org/set@{commit}": "a fingerprint"}
    results["data"]["train"]["files"] = {f"org/set@{commit}": "a fingerprint"}
    data = metadata(from_dict(values), results)
    assert data.datasets == ["org/set"]
    score = data.eval_results[-1]
    assert (score.dataset_type, score.dataset_config, score.dataset_revision) == ("org/set", "small", commit)
    assert score.dataset_args == {"examples": 40}
    text = render(from_dict(values), results)
    assert "fingerprint" not in text and "SHA-256" not in text and f"`org/set@{commit}`" in text
    assert metadata(recipe, results).eval_results[-1].dataset_type == "local"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("f1_macro", "f1"), ("entity_recall", "recall"), ("tagging_accuracy", "accuracy"), ("pearson", "pearsonr"),
        ("matthews_correlation", "matthews_correlation"), ("exact_match", "exact_match"), ("chrf++", "chrf"),
        ("rougeLsum", "rouge"), ("HasAns_f1", "f1"), ("bleu", "bleu"), ("cmrc2018_exact_match", "exact_match"),
    ],
)  # fmt: skip
def test_metrics_have_the_hubs_names(ours: str, theirs: str) -> None:
    assert hub_name(ours) == theirs
