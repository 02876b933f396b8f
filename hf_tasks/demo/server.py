"""Serving a page from this machine, to which the page is bound: it can load nothing from elsewhere."""

import socket
import threading
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hf_tasks.errors import RunError

POLICY = "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'"
"""The browser refuses whatever is not from where the page is."""
FONTS: list[Any] = [gr.themes.LocalFont("Source Sans Pro", weights=(400, 700)), "system-ui", "sans-serif"]
"""They come with gradio; its semi-bold file has a few letters only."""
STYLE = """
#notice p { border-left: 4px solid #d97706; padding: 0.4em 0.8em; margin: 0; }
.result { font-size: 1.75em; font-weight: 600; text-align: center; overflow-wrap: anywhere; margin: 0.3em 0; }
.note { text-align: center; }
meter { width: 100%; height: 1.5em; }
.ends { display: flex; justify-content: space-between; }
.marked .textfield { display: block; word-break: normal; overflow-wrap: anywhere; white-space: normal; }
.listing table, .listing .virtual-row, .listing .header-table, .confidence-set { font-family: var(--font) !important; }
"""


class SameOrigin:
    """ASGI middleware: every answer says that the page may load nothing from elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", POLICY.encode())]
            await send(message)

        await self.app(scope, receive, with_policy)


def launch(page: gr.Blocks, host: str | None, port: int | None) -> str:
    """Serve a page in the background; its address. Raises RunError where nothing can listen there."""
    options: dict[str, Any] = {
        "share": False, "quiet": True, "prevent_thread_lock": True, "ssr_mode": False, "pwa": False,
        "enable_monitoring": False, "mcp_server": False, "footer_links": ["api"],
        "theme": gr.themes.Default(font=FONTS), "css": STYLE, "app_kwargs": {"middleware": [Middleware(SameOrigin)]},
    }  # fmt: skip
    _check(host or "127.0.0.1", port)
    _, address, _ = page.launch(server_name=host, server_port=port, **options)
    return str(address)


def _check(host: str, port: int | None) -> None:
    """RunError where nothing can listen there; without a port, gradio looks for a free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port or 0))
        except OSError as e:
            raise RunError(f"{host}:{port}: {e.strerror or e}; give another --port or --host") from None


def serve(page: gr.Blocks, host: str | None, port: int | None) -> None:
    """Serve a page until interrupted."""
    print(f"{launch(page, host, port)} (Ctrl-C ends it)", flush=True)
    try:
        threading.Event().wait()
    finally:
        page.close(verbose=False)
