"""Talking to the Hub: what may be tried again is, and what fails is one line.

huggingface_hub itself tries some requests again (sending blobs, listing files) and others not (making a repository or
a commit, asking who one is); `retried` goes around whole steps that may be repeated.
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
"""Seconds between tries, where the Hub does not say how long to wait."""
LONGEST_WAIT = 300.0
"""Seconds that we wait at most when the Hub asks for it."""
AGAIN = {408, 409, 412, 429, 500, 502, 503, 504}
"""Answers after which a step is tried again. 409 and 412: somebody else changes the repository at the moment."""


def connect() -> "HfApi":
    """The client, for the Hub that HF_ENDPOINT names."""
    from importlib.metadata import version

    from huggingface_hub import HfApi

    return HfApi(library_name="hf_tasks", library_version=version("hf_tasks"))


def retried(step: Callable[[], T], *, unreachable: bool = False) -> T:
    """The result of a step that may be repeated; it is, after a pause, where the Hub is busy or does not answer.

    `unreachable`: also where no connection can be made at all, as in the midst of an upload.
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
    """Raise whatever goes wrong between here and the Hub as a RunError of one line, which never holds a token.

    The client's own warnings about retries are silent meanwhile.
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
    """The client's bars with the bytes sent or received: on a terminal only."""
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
    """What went wrong; what to do."""
    from huggingface_hub import constants, errors

    match _root(error):
        case errors.OfflineModeIsEnabled():
            return "HF_HUB_OFFLINE is set, so the Hub is not asked; unset it"
        case errors.LocalTokenNotFoundError():
            return "you are not logged in to the Hub; run: hf auth login, or set HF_TOKEN"
        case errors.GatedRepoError():
            return "the repository is gated; ask for access on its page, and log in with: hf auth login"
        case errors.RepositoryNotFoundError():
            return "there is no such repository that you may see; check the name, or log in with: hf auth login"
        case errors.RevisionNotFoundError():
            return "the repository has no such revision; give a branch, a tag or a commit of it"
        case errors.HfHubHTTPError() as e:
            reading = e.response.request.method in ("GET", "HEAD") and "/auth-check" not in str(e.response.url)
            return _refusal(e.response.status_code, e.server_message, str(e.response.url), reading)
        case json.JSONDecodeError():
            return (
                f"{constants.ENDPOINT} answers with something else than the Hub does; check HF_ENDPOINT and the proxy"
            )
        case errors.HTTPError() | ConnectionError() as e:  # type: ignore[attr-defined]
            return f"{constants.ENDPOINT} does not answer ({type(e).__name__}); check the network, then try again"
        case e:
            lines = [line for line in str(e).strip().splitlines() if line.strip()]
            return _safe("; ".join(lines[:2]) or type(e).__name__)


def status(error: BaseException) -> int | None:
    """The status of the Hub's answer that led to an error; None where there was no answer."""
    from huggingface_hub.errors import HfHubHTTPError

    root = _root(error)
    return root.response.status_code if isinstance(root, HfHubHTTPError) else None


def _refusal(status: int, message: str | None, url: str, reading: bool) -> str:
    """An answer of the Hub that is an error; `reading`: to a request that changes nothing."""
    is_page = message is not None and PAGE.search(message)
    said = ": the answer is a page, of a proxy perhaps" if is_page else f": {_safe(message)}" if message else ""
    match status:
        case 400 if url.endswith("validate-yaml"):
            return f"the metadata of README.md are not valid{said}; mend them, then push again"
        case 401:
            return (
                "the Hub does not accept your token, it is wrong or has expired; "
                "make another, and: hf auth login --force, or set HF_TOKEN"
            )
        case 403 if reading:
            return f"you may not read it{said}; ask its owner for access, or log in as who has it: hf auth login"
        case 403:
            return f"you have no permission{said}; use a token with write permission, or another name"
        case 429:
            return f"too many requests (429){said}; try again later"
        case _ if status >= 500:
            return f"the Hub has trouble ({status}){said}; try again later"
        case _:
            return f"the Hub refused ({status}){said}; mend that, then try again"


def _safe(text: str) -> str:
    return redacted(text).replace("\n", " ").strip().rstrip(".")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _root(error: BaseException) -> BaseException:
    """The first error of a chain that tells what happened between here and the Hub; else the error itself."""
    from huggingface_hub.errors import HTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled  # type: ignore[attr-defined]

    telling = (HTTPError, ConnectionError, LocalTokenNotFoundError, OfflineModeIsEnabled)
    return next((e for e in _chain(error) if isinstance(e, telling)), error)


def _passing(error: BaseException, unreachable: bool) -> bool:
    """Whether trying again may help."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]

    match _root(error):
        case HfHubHTTPError() as e:
            expired_address = e.response.status_code == 403 and isinstance(error, RuntimeError)  # of a blob
            return e.response.status_code in AGAIN or expired_address
        case HTTPError() as e:
            return unreachable or type(e).__name__ not in ("ConnectError", "ProxyError", "UnsupportedProtocol")
        case e:
            return isinstance(e, json.JSONDecodeError)  # a proxy's page in place of the Hub's answer


def _pause(error: BaseException) -> float | None:
    """Seconds that the Hub asks to wait."""
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
