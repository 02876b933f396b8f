"""Serves a page from this machine; the page cannot load anything from other hosts."""

import os
import re
import socket
import threading
from collections.abc import Sequence
from typing import Any

import gradio as gr
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hf_tasks.core.errors import RunError

POLICY = "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'"
"""The browser loads resources of the page's own host only."""
FONTS: list[Any] = [gr.themes.LocalFont("Source Sans Pro", weights=(400, 700)), "system-ui", "sans-serif"]
"""They come with gradio; its semi-bold font lacks most letters."""
STYLE = """
#notice p { border-left: 4px solid #d97706; padding: 0.4em 0.8em; margin: 0; }
.result { font-size: 1.75em; font-weight: 600; text-align: center; overflow-wrap: anywhere; margin: 0.3em 0; }
.note { text-align: center; }
meter { width: 100%; height: 1.5em; }
.ends { display: flex; justify-content: space-between; }
.marked .textfield { display: block; word-break: normal; overflow-wrap: anywhere; white-space: normal; }
.listing table, .listing .virtual-row, .listing .header-table, .confidence-set { font-family: var(--font) !important; }
"""


LARGEST_REQUEST = 4 << 20
"""Maximum size of a request in bytes: a little more than the texts of one form."""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")


class RequestFilter:
    """ASGI middleware that refuses uploads, requests that are too large, and requests for hosts not in `hosts`.

    Other host names come from pages elsewhere whose name resolves to this machine (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str] = ()) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and (refused := self.refusal(scope)):
            status, text = refused
            await PlainTextResponse(text, status)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """The status and text of a refusal; None if the request is allowed."""
        headers = Headers(scope=scope)
        if self.hosts and _host(headers.get("host", "")) not in self.hosts:
            return 421, "this page is served to this machine only"
        if "upload" in scope["path"]:
            return 403, "uploads are not allowed"
        if scope.get("method") == "POST":
            size = headers.get("content-length", "")
            if not size.isdecimal() or int(size) > LARGEST_REQUEST:
                return 413, f"a request may have at most {LARGEST_REQUEST:,} bytes"
        return None


def _host(header: str) -> str:
    """The name in a Host header, without the port."""
    return re.sub(r":\d*$", "", header).lower()


class SameOrigin:
    """ASGI middleware that adds the content security policy to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", POLICY.encode())]
            await send(message)

        await self.app(scope, receive, with_policy)


def launch(page: gr.Blocks, host: str | None, port: int | None) -> str:
    """Serve a page in the background; its address. Raises RunError if the address cannot be used."""
    listening = host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    middleware = [Middleware(RequestFilter, LOOPBACK if listening in LOOPBACK else ()), Middleware(SameOrigin)]
    options: dict[str, Any] = {
        "share": False, "quiet": True, "prevent_thread_lock": True, "ssr_mode": False, "pwa": False,
        "enable_monitoring": False, "mcp_server": False, "footer_links": ["api"],
        "theme": gr.themes.Default(font=FONTS), "css": STYLE, "app_kwargs": {"middleware": middleware},
    }  # fmt: skip
    _check(host or "127.0.0.1", port)
    _, address, _ = page.launch(server_name=host, server_port=port, **options)
    return str(address)


def _check(host: str, port: int | None) -> None:
    """Raises RunError if the address cannot be used; without a port, gradio looks for a free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port or 0))
        except OSError as e:
            raise RunError(f"{host}:{port}: {e.strerror or e}; choose another --port or --host") from None


def serve(page: gr.Blocks, host: str | None, port: int | None) -> None:
    """Serve a page until interrupted."""
    print(f"{launch(page, host, port)} (stop with Ctrl-C)", flush=True)
    try:
        threading.Event().wait()
    finally:
        page.close(verbose=False)
