"""One line when a WebSocket opens, and one when it has ended, with whatever used it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any
from weakref import ref

from django.http import HttpRequest

from dwebsocket.connections.users import find_known_user, name_of
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.supervisor import log_failure
from dwebsocket.upgrade.refusals import printable
from dwebsocket.websocket import BaseWebSocket

__all__ = ["ConnectionLog", "create_log", "tell_ended"]

logger = logging.getLogger("dwebsocket.connection")

#: Shows a line in the way in which a development server shows its requests: path, status, text.
RequestLog = Callable[[str, int, str], None]


class ConnectionLog:
    """What is said of one WebSocket, and to whom.

    Args:
        request_log: the server's own, if it has one for people at a terminal.
    """

    __slots__ = ("_address", "_path", "_request_log", "_since", "_user")

    _user: str | ref[HttpRequest]  # by then it may be known

    def __init__(self, request: HttpRequest, request_log: RequestLog | None) -> None:
        self._path = request.path
        self._address: str = request.META.get("REMOTE_ADDR") or "-"
        self._user = find_user(request) or ref(request)
        self._since = 0.0
        self._request_log = request_log

    def tell_opened(self) -> None:
        """The handshake has been accepted. Never raises."""
        self._since = monotonic()
        try:
            self._tell("opened", self._describe(), 101, "opened", "")
        except Exception:  # a filter of the log, a user of the site's own
            log_failure("Logging that a WebSocket has opened failed")

    def tell_resumed(self, seconds: float) -> None:
        """It goes on here, having been opened in another process so long ago."""
        self._since = monotonic() - seconds

    def tell_ended(self, websocket: BaseWebSocket) -> None:
        """It has ended, and so has what used it. Never raises."""
        try:
            self._tell_ended(websocket)
        except Exception:
            log_failure("Logging that a WebSocket has ended failed")

    def _tell_ended(self, websocket: BaseWebSocket) -> None:
        code = websocket.close_code or CloseCode.ABNORMAL_CLOSURE
        reason = printable(websocket.close_reason or "")
        seconds = round(monotonic() - self._since, 3)
        received = websocket._count_received()
        fields = {
            **self._describe(),
            "code": int(code),
            "reason": reason,
            "seconds": seconds,
            "received": received,
        }
        said = f'code {int(code)} "{reason}"' if reason else f"code {int(code)}"
        text = f"{said}, after {seconds:.1f} s"
        if received is not None:
            text += f", {received} message{'s' * (received != 1)} received"
        status = 500 if code == CloseCode.INTERNAL_ERROR else 101
        self._tell("ended", fields, status, text, f", {text}")

    def _tell(
        self, event: str, fields: dict[str, Any], status: int, shown: str, added: str
    ) -> None:
        path, user, address = fields["path"], fields["user"] or "-", fields["address"]
        logger.info(
            "WebSocket %s: %s, user %s, from %s%s", event, path, user, address, added, extra=fields
        )
        if self._request_log is not None:
            self._request_log(path, status, shown if user == "-" else f"{shown}, user {user}")

    def _describe(self) -> dict[str, Any]:
        user = self._user
        if not isinstance(user, str):
            request = user()
            user = (request and find_user(request)) or ""
        return {
            "path": printable(self._path),
            "user": printable(user) or None,
            "address": printable(self._address),
        }


def find_user(request: HttpRequest) -> str | None:
    """The name of the user, if that is known."""
    user = find_known_user(request)
    return None if user is None else name_of(user)


def create_log(request: HttpRequest, request_log: RequestLog | None) -> ConnectionLog | None:
    """The log of a WebSocket that is going to be accepted; ``None`` if nobody reads it."""
    if request_log is None and not logger.isEnabledFor(logging.INFO):
        return None
    try:
        return ConnectionLog(request, request_log)
    except Exception:  # a user of the site's own
        log_failure("Logging a WebSocket failed")
        return None


def tell_ended(websocket: BaseWebSocket) -> None:
    """Log the end of a WebSocket, unless it was not accepted, or that has been done."""
    websocket._origin = None
    log, websocket._connection_log = websocket._connection_log, None
    if log is not None and websocket.accepted:
        log.tell_ended(websocket)
