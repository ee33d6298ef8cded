"""A process with handlers ends: its connections go on in another one, and their clients notice
nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from dwebsocket import groups
from dwebsocket.backends import live
from dwebsocket.backends.kept_state import check_state
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.supervisor import log_failure

from .serving import Serving
from .websocket import GatewayWebSocket, forget
from .wire import Kind, pack_json

__all__ = ["move_all"]

#: Seconds between two looks at calls that are running.
LOOK_INTERVAL = 0.01


def move_all(servings: Iterable[Serving], timeout: float) -> None:
    """Give all connections back to the front, as soon as the call that runs there is done. Those
    that no other process can go on with, and those whose call takes longer than ``timeout``
    seconds, get a Close with 1012; so do sessions, whose clients come back by themselves.
    """
    for websocket in live.find_all():
        if not isinstance(websocket, GatewayWebSocket):  # a session, which what carries it follows
            websocket.close_nowait(CloseCode.SERVICE_RESTART, "")
    waiting = {
        one: one.flow.user for one in servings if isinstance(one.flow.user, GatewayWebSocket)
    }
    for serving, websocket in list(waiting.items()):
        if not serving.is_handler:
            websocket.close_nowait(CloseCode.SERVICE_RESTART, "")
            del waiting[serving]
    until = time.monotonic() + timeout
    while waiting:
        for serving, websocket in list(waiting.items()):
            if is_done(serving, websocket):
                del waiting[serving]
        if waiting and time.monotonic() > until:
            break
        if waiting:
            time.sleep(LOOK_INTERVAL)
    for websocket in waiting.values():
        websocket.close_nowait(CloseCode.SERVICE_RESTART, "")


def is_done(serving: Serving, websocket: GatewayWebSocket) -> bool:
    """Whether nobody has to wait for it any more: it has been given back, or has ended here."""
    if websocket._state.reading:
        return serving.flow.is_over
    if not websocket._freeze():
        return False
    give_back(serving, websocket)
    return True


def give_back(serving: Serving, websocket: GatewayWebSocket) -> None:
    """Let another process have it."""
    try:
        origin: Any = websocket._origin
        state = check_state({} if origin is None else origin.get_state())
    except Exception:
        log_failure("get_state() failed, and its WebSocket is closed")
        websocket.close_nowait(CloseCode.INTERNAL_ERROR, "")
        return
    flow = serving.flow
    flow.send(Kind.BYE, pack_json({"state": state, "user": serving.user}))
    forget(websocket)
    groups.leave_all(websocket)
    flow.end()
