"""The pages in a real browser: what people see, and that nothing is asked of other machines."""

import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from hf_tasks.publish import demo
from hf_tasks.publish.demo import server
from hf_tasks.runs.run import Run

Runs = Callable[[str], Run]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium"),
    # gradio's queue uses what pandas 3 deprecates (`_get_df` in gradio/queueing.py)
    pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting' is deprecated", "ignore:The copy keyword is"),
]
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-proxy-server",
]  # fmt: skip
PATIENCE = 30_000
"""Milliseconds that the page may take to show something."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Any, runs: Runs, port: int) -> Iterator[Callable[[str], Any]]:
    """`visit(kind)`: the page of a run in the browser. At the end: all it asked for was here, nothing went wrong."""
    served, asked, wrong = [], list[str](), list[str]()
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))

    def visited(kind: str) -> Any:
        blocks = demo.page(runs(kind))
        served.append(blocks)
        page.goto(server.launch(blocks, "127.0.0.1", port))
        page.get_by_role("button", name="Predict").wait_for()
        return page

    yield visited
    page.close()
    for blocks in served:
        blocks.close(verbose=False)
    assert len(asked) > 10
    assert {urlsplit(url).hostname for url in asked if not url.startswith(("data:", "blob:"))} == {"127.0.0.1"}
    assert wrong == []


def predict(page: Any) -> None:
    page.get_by_role("button", name="Predict").click()


def seen(locator: Any) -> str:
    """What a person reads, each blank one blank."""
    return re.sub(r"\s+", " ", locator.inner_text()).strip()


def test_a_text_is_classified_and_markup_stays_text(visit: Callable[[str], Any], runs: Runs) -> None:
    page = visit("label")
    assert page.get_by_role("heading", name="small").is_visible()
    assert page.get_by_text("It reads 64 tokens.").is_visible()
    predict(page)
    page.get_by_role("alert").get_by_text("The text is empty: fill it in first.").wait_for()

    page.get_by_text("the film is good", exact=True).click()  # the example
    predict(page)
    expected = runs("label").predict(text="the film is good")
    page.locator(".result").get_by_text(expected["label"], exact=True).wait_for()
    assert page.get_by_role("alert").count() == 0
    ranked = sorted(expected["probabilities"].items(), key=lambda item: -item[1])
    assert seen(page.locator(".confidence-set").first) == f"{ranked[0][0]} {round(100 * ranked[0][1])}%"
    assert page.locator(".confidence-set").count() == 3


def test_entities_are_marked_and_markup_stays_text(visit: Callable[[str], Any], runs: Runs) -> None:
    text = "mary <img src=x onerror=alert(1)> saw paris"
    page = visit("entities")
    page.get_by_label("Text").fill(text)
    predict(page)
    found = runs("entities").predict(text=text)["entities"]
    assert found
    page.locator(".listing .virtual-row").get_by_text(found[0]["text"], exact=True).first.wait_for()
    marked = page.locator(".marked .textfield")
    assert re.sub(r"\s", "", marked.inner_text()).count("<imgsrc=xonerror=alert(1)>") == 1
    assert page.locator(".marked img, .listing img").count() == 0
    assert {entity["label"] for entity in found} <= set(seen(page.locator(".marked")).split())


def test_an_answer_is_shown_in_its_context(visit: Callable[[str], Any], runs: Runs) -> None:
    row = {"question": "who won ?", "context": "mary won the <b>big</b> film in paris and john lost"}
    page = visit("answer")
    page.get_by_label("Question").fill(row["question"])
    page.get_by_label("Context").first.fill(row["context"])
    predict(page)
    prediction = runs("answer").predict(**row)
    page.get_by_text(f"probability {prediction['score']:.3f}").wait_for()
    assert seen(page.locator(".result")) == (prediction["answer"] or "(no answer in the context)")
    assert page.locator(".result b, .marked b").count() == 0


def test_candidates_of_mbr_are_listed(visit: Callable[[str], Any], runs: Runs) -> None:
    page = visit("text")
    page.get_by_label("Source").fill("the good film")
    page.get_by_text("Decoding options").click()
    assert page.get_by_label("Samples").count() == 0
    page.get_by_role("radio", name="mbr").click()
    page.get_by_role("spinbutton", name="Samples").fill("6")
    page.get_by_role("spinbutton", name="Samples").press("Tab")
    predict(page)
    changes = ["decoding.name=mbr", "decoding.num_samples=6", "decoding.keep_candidates=true"]
    expected = Run.load(runs("text").path, changes).predict(source="the good film")
    page.locator(".listing .virtual-row").get_by_text(f"{expected['expected_utility']:.2f}").first.wait_for()
    assert page.locator("textarea[disabled]").input_value() == expected["prediction"]
