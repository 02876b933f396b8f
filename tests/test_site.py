"""The documentation site: every page is generated, every link works, and no page loads anything from another host."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_site_is_built_without_a_warning_and_asks_no_other_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "site"))  # where its modules are, as in `make docs`
    pages = runpy.run_path(str(ROOT / "docs" / "site" / "pages.py"))
    pages["main"](tmp_path / "build" / "pages")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "site").mkdir()
    config = (ROOT / "docs" / "site" / "mkdocs.yml").read_text(encoding="utf-8").replace("[../..]", f"[{ROOT}]")
    (tmp_path / "docs" / "site" / "mkdocs.yml").write_text(config, encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f", "docs/site/mkdocs.yml"]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    html = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "build" / "site").rglob("*.html")}
    assert len(html) > 20
    loaded = [
        url
        for text in html.values()
        for url in re.findall(r"<(?:script|link|img)[^>]* (?:src|href)=\"(http[^\"]*)", text)
    ]
    assert loaded == []
    assert "max_length" in html["recipe.html"] and "hf-tasks train" in html["commands.html"]
    assert "load_runs" in html["python.html"]
    assert 'href="text-classification.ipynb"' in html["text-classification.html"]
    assert (tmp_path / "build" / "site" / "tutorials" / "text-classification.ipynb").is_file()
