"""`demo`: an interactive page for a run in the browser, and the folder of a Hub Space with this page.

Everything is served from this machine: no fonts, scripts or statistics of others. Needs gradio, which is an extra.
"""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hf_tasks.core.errors import RunError

if TYPE_CHECKING:
    from gradio import Blocks

    from hf_tasks.runs.run import Run


def page(run: "Run") -> "Blocks":
    """The page of a run. Raises RunError if gradio is not installed."""
    _need_gradio()
    from hf_tasks.publish.demo.layout import page as page_of

    return page_of(run)


def serve(run: "Run", host: str | None = None, port: int | None = None) -> None:
    """Serve the page of a run until interrupted.

    `host` and `port` default to gradio's variables (GRADIO_SERVER_NAME, which a Hub Space sets), else 127.0.0.1:7860.
    Raises RunError if gradio is not installed, or the address cannot be used.
    """
    _need_gradio()
    from hf_tasks.publish.demo.server import serve as serve_page

    serve_page(page(run), host, port)


def write_space(run: "Run", out: Path, repo_id: str | None = None) -> list[str]:
    """Write the folder of a Hub Space with the page of a run; returns the next steps, as lines.

    The Space downloads the run from the Hub as `repo_id`; without it the run is copied. Raises RunError if the folder
    is not empty or gradio is not installed.
    """
    _need_gradio()
    from hf_tasks.publish.demo.space import write

    return write(run, out, repo_id)


def _need_gradio() -> None:
    if find_spec("gradio") is None:
        raise RunError("the demo needs gradio; install it with: pip install 'hf_tasks[demo]'")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
