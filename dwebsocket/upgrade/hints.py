"""What a mistake in a view or handler probably is, where the error alone does not tell."""

from __future__ import annotations

import linecache
import logging
import re
from collections.abc import Collection
from difflib import get_close_matches
from types import TracebackType

from dwebsocket.http import WebSocket
from dwebsocket.supervisor import log_failure
from dwebsocket.websocket import BaseWebSocket

__all__ = ["tell_hint", "tell_of_names"]

logger = logging.getLogger("dwebsocket.connection")

#: A plain method of a WebSocket where only a coroutine can stand: `await request.websocket.send(`
AWAITED = re.compile(
    r"\bawait\s+([\w.]+)\.(accept|close|disconnect|ping|read|send|send_html|send_json|wait|wait_json)\("
)

#: What stands in the place of a plain method in async code; the others have no twin.
TWINS = {
    "close": "await {0}.aclose(…)",
    "disconnect": "await {0}.aclose(…)",
    "send": "await {0}.asend(…)",
    "send_html": "await {0}.asend_html(…)",
    "wait": "await {0}.areceive()",
    "wait_json": "json.loads(await {0}.areceive())",
}

#: What the methods of other packages are here: Channels, websockets, tornado, the browser's.
ELSEWHERE = {
    "receive": "wait(), or in async code `await` areceive()",
    "receive_json": "wait_json()",
    "recv": "wait(), or in async code `await` areceive()",
    "read_message": "wait(), or in async code `await` areceive()",
    "send_text": "send() of str",
    "send_bytes": "send() of bytes",
    "send_str": "send() of str",
    "write_message": "send()",
    "emit": "send_json()",
    "open": "connected",
    "state": "connected",
}

#: What the methods of a handler are called in other packages: Channels, Socket.IO, tornado, and in
#: the browser.
HANDLERS_ELSEWHERE = {
    "connect": "on_open",
    "on_connect": "on_open",
    "onopen": "on_open",
    "open": "on_open",
    "receive": "on_message",
    "receive_json": "on_message",
    "on_receive": "on_message",
    "onmessage": "on_message",
    "disconnect": "on_close",
    "on_disconnect": "on_close",
    "onclose": "on_close",
    "onerror": "on_error",
}

#: How like one of ours a name is that means it, from 0 to 1.
LIKE = 0.85

NOTHING_RECEIVED = (
    "wait() or read() has returned None to this view, for the connection has closed. Ask for that "
    "first, `if message is None: return`, or write `for message in request.websocket`"
)


def tell_hint(websocket: BaseWebSocket | None, path: str, error: BaseException) -> None:
    """Log a hint on an error that has just been logged, if there is one. Never raises."""
    try:
        hint = find_hint(websocket, error)
        if hint is not None:
            shown = path.encode("unicode_escape").decode()
            logger.warning("On the error at %s: %s", shown, hint)
    except Exception:  # an error that cannot be shown, a broken log
        log_failure("Looking for a hint on the error of a WebSocket failed")


def find_hint(websocket: BaseWebSocket | None, error: BaseException) -> str | None:
    """What to do about an error, ``None`` if we do not know."""
    if not isinstance(error, (TypeError, AttributeError)):
        return None
    if isinstance(error, AttributeError) and isinstance(error.obj, WebSocket):
        instead = ELSEWHERE.get(error.name or "")
        return None if instead is None else f"a WebSocket's {error.name} is called {instead} here"
    text = str(error)
    if "await" in text:  # "object NoneType can't be used in 'await' expression"
        return find_awaited(error.__traceback__)
    if "NoneType" in text and websocket is not None and websocket._told:
        return NOTHING_RECEIVED
    return None


def tell_of_names(handler: type, base: type, hooks: Collection[str]) -> None:
    """Log the methods of a handler that are probably meant to be called, and are named otherwise.

    Args:
        handler: the class, which is derived from ``base``.
        hooks: the methods that are called. One that the class has is not looked for.
    """
    missing = [name for name in hooks if getattr(handler, name) is getattr(base, name, None)]
    for name in sorted(set(dir(handler)).difference(dir(base))):
        if find_hook(name, hooks) in missing and callable(getattr(handler, name)):
            logger.warning(
                "%s.%s is not called by dwebsocket: is it meant to be %s()?",
                handler.__qualname__,
                name,
                find_hook(name, hooks),
            )


def find_hook(name: str, hooks: Collection[str]) -> str | None:
    """The method of ours that a name means, if there is one."""
    near = get_close_matches(name, hooks, n=1, cutoff=LIKE) if name.startswith("on") else []
    return HANDLERS_ELSEWHERE.get(name) or next(iter(near), None)


def find_awaited(traceback: TracebackType | None) -> str | None:
    """The hint for a plain method of a WebSocket that was awaited."""
    match = AWAITED.search(find_line(traceback))
    if match is None:
        return None
    receiver, name = match.groups()
    instead = TWINS.get(name, f"{{0}}.{name}(…)` without `await").format(receiver)
    return f"{name}() of a WebSocket cannot be awaited. In async code write `{instead}`"


def find_line(traceback: TracebackType | None) -> str:
    """The line of source that has raised."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return ""
    return linecache.getline(traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)
