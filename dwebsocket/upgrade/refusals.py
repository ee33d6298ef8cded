"""Answers to handshakes that become no WebSocket, and the end of the connection behind them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from dwebsocket.backends import get_usable_factory
from dwebsocket.backends.query import is_engine
from dwebsocket.backends.room import NoRoom, Shortage
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.protocol.exceptions import InvalidHandshake
from dwebsocket.upgrade.arrival import describe_arrival
from dwebsocket.upgrade.attachment import attach
from dwebsocket.upgrade.caches import forbid_storing

__all__ = [
    "REQUIRED",
    "end_connection_behind",
    "is_refused",
    "printable",
    "refuse",
    "refuse_for",
]

logger = logging.getLogger("dwebsocket.handshake")

#: In request.META, which wrappers of the request share: the refusal is in the log.
REFUSED = "dwebsocket.refused"

#: Characters of what a client sent that are repeated to it, or to the log.
MAX_QUOTED = 500

#: Where the streams come from that Django's test clients and RequestFactory give to their requests.
TEST_CLIENT = "django.test.client"
NO_CONNECTION = (
    "This request comes from Django's test client or from RequestFactory, and has no connection. "
    "In a test dwebsocket.testing.WebSocketClient opens WebSockets, or AsyncWebSocketClient: "
    "client.websocket('/address/')."
)

NOT_ACCEPTED = "This address does not accept WebSockets."
REQUIRED = "This address accepts WebSockets only, and this is a plain HTTP request."


def refuse_for(request: HttpRequest, error: InvalidHandshake | SocketTakeoverError) -> HttpResponse:
    """The refusal that an error stands for."""
    in_test = is_of_test_client(request)
    if isinstance(error, SocketTakeoverError):
        reason = NO_CONNECTION if in_test else str(error)
        return refuse(request, reason, 501, level=logging.ERROR)
    reason = f"{error} {NO_CONNECTION}" if in_test else str(error)
    told = isinstance(error, Shortage) and not error.is_news()
    level = logging.DEBUG if told else logging.WARNING
    detail = error.detail if isinstance(error, NoRoom) else ""
    return refuse(request, reason, error.status_code, dict(error.headers), level, detail)


def is_of_test_client(request: HttpRequest) -> bool:
    """Whether a test has made this request without a server."""
    read = getattr(getattr(request, "_stream", None), "_read", None)  # of Django's LimitedStream
    return type(getattr(read, "__self__", None)).__module__ == TEST_CLIENT


def refuse(
    request: HttpRequest,
    reason: str = NOT_ACCEPTED,
    status: int = 400,
    headers: dict[str, str] | None = None,
    level: int = logging.WARNING,
    detail: str = "",
) -> HttpResponse:
    """An HTTP answer that says why, and one line in the log, which ends with the detail."""
    reason = printable(reason)
    request.META[REFUSED] = True
    logger.log(
        level,
        "WebSocket refused with %s: %s %s: %s",
        status,
        printable(request.method or ""),
        printable(request.path),
        f"{reason} {printable(detail)}" if detail else reason,
        extra={"status_code": status, "request": request},
    )
    response = HttpResponse(
        f"{reason}\n{describe_arrival(request)}",
        status=status,
        content_type="text/plain; charset=utf-8",
        headers=headers,
    )
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django would add a second line
    if settings.DEBUG and is_engine(request) and request.GET.get("resume") == "1":
        response.headers["X-DWebSocket-Debug"] = "1"  # our client shows the reason
    forbid_storing(response)
    end_connection_behind(request, response)
    return response


def is_refused(request: HttpRequest) -> bool:
    """Whether we have refused it, and told the log why."""
    return REFUSED in request.META


def end_connection_behind(request: HttpRequest, response: Any = None) -> None:
    """See to it that the answer to a handshake is the last one on its connection, and says so: the
    client may have sent frames already, or wants a request to be taken for one. Nor is it stored.

    Args:
        response: the answer, if it is there; an error's is made by Django, later.
    """
    if not attach(request):
        return
    forbid_storing(response)
    factory = get_usable_factory(request)
    hang_up_with(request, factory.hang_up)
    factory.expect_refusal(response)


def hang_up_with(request: HttpRequest, hang_up: Callable[[], None]) -> None:
    """Hang up when Django closes the request, with the response that has been written (PEP 3333),
    whoever has made that.
    """
    request = getattr(request, "_request", request)  # Django REST framework wraps what is closed
    close = request.close
    if hasattr(close, "hangs_up"):
        return

    def close_and_hang_up() -> None:
        del request.close  # which refers to the request
        try:
            close()
        finally:
            hang_up()

    close_and_hang_up.hangs_up = True  # type: ignore[attr-defined]
    request.close = close_and_hang_up  # type: ignore[method-assign]


def printable(text: str) -> str:
    """What a client sent, fit for a log and for a screen: no line breaks, no end of its own."""
    return text[:MAX_QUOTED].encode("unicode_escape").decode()
