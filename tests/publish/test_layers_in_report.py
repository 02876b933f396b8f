"""What a report shows of the layers of a model: attention of chosen examples, and probing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from reported import harmless, titles
from transformers import AutoModelForSequenceClassification

from hf_tasks.core.errors import RunError
from hf_tasks.publish.report import attention, report
from hf_tasks.publish.report.measured import load
from hf_tasks.runs import probe
from hf_tasks.runs.run import Run

Trained = Callable[[str], Run]


def test_weights_are_those_of_the_model(trained: Trained) -> None:
    run = trained("label")
    measured = load(run, "test")
    tokens, weights = attention.attention(measured, 1)
    text = measured.rows[1]["text"]
    inputs = run.tokenizer(text, return_tensors="pt")
    assert tokens == run.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0].tolist())
    plain = AutoModelForSequenceClassification.from_pretrained(run.path, attn_implementation="eager").eval()
    expected = plain(**inputs, output_attentions=True).attentions
    assert weights.shape == (2, 2, len(tokens), len(tokens))
    np.testing.assert_allclose(weights, [one[0].detach().numpy() for one in expected], atol=1e-5)
    assert run.model.config._attn_implementation != "eager"  # as it was


@pytest.mark.parametrize("kind", ["label", "choice", "answer", "tags", "translation"])
def test_attention_of_every_kind_of_encoder(trained: Trained, kind: str, tmp_path: Path) -> None:
    run = trained(kind)
    html = report(run, tmp_path / "r.html", attention=["test.jsonl:2", "test.jsonl:1"]).read_text(encoding="utf-8")
    harmless(html)
    assert html.count('aria-label="attention of each head"') == html.count('aria-label="attention of the first token"')
    assert html.count('aria-label="attention of each head"') == 2
    assert "test.jsonl:2, test: each head (columns) of each layer (rows)" in html


def test_shades_and_places() -> None:
    weights = np.zeros((1, 2, 3, 3))
    weights[0, 1, 2, 0] = 0.5  # second head: the last token attends to the first
    svg = str(attention.heads(weights))
    assert svg.count("<path") == 1
    assert '<path d="M20 16h1v1h-1z" fill="var(--blue)" fill-opacity="0.83"/>' in svg
    evil = str(attention.first_token(["<b>", "&"], np.ones((1, 1, 2, 2))))
    assert "&lt;b&gt;" in evil and "<b>" not in evil


def test_examples_that_are_not_there_and_models_that_cannot_be_drawn(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    with pytest.raises(RunError, match=r'^--attention test.jsonl:77: there is no such example; did you mean "test'):
        report(trained("label"), out, attention=["test.jsonl:77"])
    with pytest.raises(RunError, match="^--probe: needs one label for each text, and question-answering has none here"):
        report(trained("answer"), out, probe=True)
    assert not out.exists()


def test_probing_the_layers_of_the_model_and_of_its_base(trained: Trained, tmp_path: Path) -> None:
    html = report(trained("label"), tmp_path / "r.html", probe=True).read_text(encoding="utf-8")
    page = harmless(html)
    assert "Probing" in titles(html)
    for words in ("16 examples of train, 9 of test", "this model", "the base model", "the most frequent label"):
        assert words in page.text


def test_a_layer_that_separates_the_labels_and_one_of_noise() -> None:
    rng = np.random.default_rng(0)
    labels = ["x", "y"] * 100
    side = np.array([1.0 if label == "x" else -1.0 for label in labels])
    vectors = rng.normal(size=(200, 2, 4))
    vectors[:, 1, 0] += 5 * side
    found = probe.scores(vectors[:100], labels[:100], vectors[100:], labels[100:])
    assert found[1] == 1.0
    assert 0.35 < found[0] < 0.65
