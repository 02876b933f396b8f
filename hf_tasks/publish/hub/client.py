"""Requests to the Hub: retries, and errors as messages of one line.

huggingface_hub retries some requests (uploads, listings) and others not (creating a repository or a commit, whoami);
`retried` repeats whole steps.
"""

import contextlib
import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from hf_tasks.core.errors import RunError, UserError
from hf_tasks.publish.redact import redacted

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")
PAGE = re.compile(r"<(!doctype|html|head|body)\b", re.IGNORECASE)
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between attempts, unless the Hub sets the time."""
LONGEST_WAIT = 300.0
"""Maximum wait in seconds that the Hub can set."""
AGAIN = {408, 409, 412, 429, 500, 502, 503, 504}
"""Status codes after which a step is repeated. 409 and 412: a concurrent change of the repository."""


def connect() -> "HfApi":
    """The client of the Hub at HF_ENDPOINT."""
    from importlib.metadata import version

    from huggingface_hub import HfApi

    return HfApi(library_name="hf_tasks", library_version=version("hf_tasks"))


def retried(step: Callable[[], T], *, unreachable: bool = False) -> T:
    """The result of a step, which is repeated after a pause if the Hub is busy or does not answer.

    `unreachable`: also repeat it if no connection can be made, for example during an upload.
    """
    said = False
    for wait in WAITS:
        try:
            return step()
        except UserError:
            raise
        except Exception as e:  # the libraries below raise dozens of kinds
            asked = _pause(e)
            seconds = wait if asked is None else asked
            if not _passing(e, unreachable) or seconds > LONGEST_WAIT:
                raise
            if asked is not None or not said:
                how = f"in {seconds:.0f} s" if asked is not None else f"for up to {sum(WAITS):.0f} s"
                print(f"{reason(e).partition(';')[0]}; trying again {how}", file=sys.stderr, flush=True)
            said = said or asked is None
            time.sleep(seconds)
    return step()


@contextlib.contextmanager
def explained(place: str) -> Iterator[None]:
    """Raise any error of the Hub or the network as a RunError of one line, which never contains a token.

    `retried` reports repeated requests, so huggingface_hub's own warnings about its retries are not printed.
    """
    client = logging.getLogger("huggingface_hub")
    level = client.level
    client.setLevel(logging.ERROR)
    try:
        yield
    except UserError:
        raise
    except Exception as e:
        raise RunError(f"{place}: {reason(e)}") from None
    finally:
        client.setLevel(level)


@contextlib.contextmanager
def bars() -> Iterator[None]:
    """Shows the client's progress bars on a terminal only."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    hidden = not sys.stderr.isatty() and not are_progress_bars_disabled()
    if hidden:
        disable_progress_bars()
    try:
        yield
    finally:
        if hidden:
            enable_progress_bars()


def reason(error: BaseException) -> str:
    """A message of one line: the problem; what to do."""
    from huggingface_hub import constants, errors

    match _root(error):
        case errors.OfflineModeIsEnabled():
            return "HF_HUB_OFFLINE is set, so the Hub cannot be used; unset it"
        case errors.LocalTokenNotFoundError():
            return "you are not logged in to the Hub; run: hf auth login, or set HF_TOKEN"
        case errors.GatedRepoError():
            return "the repository is gated; request access on its page, then log in with: hf auth login"
        case errors.RepositoryNotFoundError():
            return (
                "the repository does not exist, or you may not read it; check the name, or log in with: hf auth login"
            )
        case errors.RevisionNotFoundError():
            return "the repository has no such revision; name one of its branches, tags or commits"
        case errors.HfHubHTTPError() as e:
            reading = e.response.request.method in ("GET", "HEAD") and "/auth-check" not in str(e.response.url)
            return _refusal(e.response.status_code, e.server_message, str(e.response.url), reading)
        case json.JSONDecodeError():
            return f"{constants.ENDPOINT} does not answer like the Hub; check HF_ENDPOINT and the proxy"
        case errors.HTTPError() | ConnectionError() as e:  # type: ignore[attr-defined]
            return f"{constants.ENDPOINT} does not answer ({type(e).__name__}); check the network, then try again"
        case e:
            lines = [line for line in str(e).strip().splitlines() if line.strip()]
            return _safe("; ".join(lines[:2]) or type(e).__name__)


def status(error: BaseException) -> int | None:
    """The HTTP status that caused an error; None without an answer of the Hub."""
    from huggingface_hub.errors import HfHubHTTPError

    root = _root(error)
    return root.response.status_code if isinstance(root, HfHubHTTPError) else None


def _refusal(status: int, message: str | None, url: str, reading: bool) -> str:
    """The message for an error status; `reading`: of a request that changes nothing."""
    is_page = message is not None and PAGE.search(message)
    said = ": the answer is an HTML page, perhaps of a proxy" if is_page else f": {_safe(message)}" if message else ""
    match status:
        case 400 if url.endswith("validate-yaml"):
            return f"the metadata of README.md is not valid{said}; correct it, then push again"
        case 401:
            return (
                "the Hub rejects your token: it is wrong or has expired; "
                "create another, then run: hf auth login --force, or set HF_TOKEN"
            )
        case 403 if reading:
            return f"you may not read it{said}; ask its owner for access, or log in as another user: hf auth login"
        case 403:
            return f"you have no permission{said}; use a token with write permission, or another name"
        case 429:
            return f"too many requests (429){said}; try again later"
        case _ if status >= 500:
            return f"the Hub has a problem ({status}){said}; try again later"
        case _:
            return f"the Hub refused the request ({status}){said}; correct it, then try again"


def _safe(text: str) -> str:
    return redacted(text).replace("\n", " ").strip().rstrip(".")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _root(error: BaseException) -> BaseException:
    """The first error of a chain that describes the connection to the Hub; else the error itself."""
    from huggingface_hub.errors import HTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled  # type: ignore[attr-defined]

    described = (HTTPError, ConnectionError, LocalTokenNotFoundError, OfflineModeIsEnabled)
    return next((e for e in _chain(error) if isinstance(e, described)), error)


def _passing(error: BaseException, unreachable: bool) -> bool:
    """Whether the same request may succeed later."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]

    match _root(error):
        case HfHubHTTPError() as e:
            expired_address = e.response.status_code == 403 and isinstance(error, RuntimeError)  # of a blob
            return e.response.status_code in AGAIN or expired_address
        case HTTPError() as e:
            return unreachable or type(e).__name__ not in ("ConnectError", "ProxyError", "UnsupportedProtocol")
        case e:
            return isinstance(e, json.JSONDecodeError)  # a proxy's page instead of the Hub's answer


def _pause(error: BaseException) -> float | None:
    """The wait in seconds that the Hub sets."""
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

    root = _root(error)
    if not isinstance(root, HfHubHTTPError):
        return None
    asked = root.response.headers.get("Retry-After", "")
    limit = parse_ratelimit_headers(root.response.headers)
    if asked.isdigit():
        return float(asked)
    return float(limit.reset_in_seconds) if limit and limit.remaining == 0 else None
