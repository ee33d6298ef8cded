"""What a process tells of its WebSockets, and does with them, when it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dwebsocket.backends import live
from dwebsocket.groups.survey import answer_with
from dwebsocket.protocol.frames import check_close
from dwebsocket.supervisor import log_failure
from dwebsocket.websocket import BaseWebSocket

from .facts import Connection, describe
from .filters import Filter

__all__ = ["CLOSE", "LIST", "STATS", "answer_questions"]

LIST, CLOSE, STATS = "connections", "close", "statistics"

#: Connections in one part of an answer.
PART = 250


def find(wanted: Filter) -> Iterator[tuple[BaseWebSocket, Connection]]:
    """The WebSockets of this process that are meant, and what is told of them."""
    for websocket in live.find_all():
        if not websocket._opened or websocket._has_ended:  # not yet, or no more
            continue
        try:
            found = describe(websocket)
        except Exception:  # a user of the site's own
            log_failure("A WebSocket cannot be described")
            continue
        if wanted.fits(found):
            yield websocket, found


def tell(args: Mapping[str, Any]) -> Iterator[list[Connection]]:
    """All that are meant, a few at a time."""
    part: list[Connection] = []
    for _, found in find(Filter.unpack(args)):
        part.append(found)
        if len(part) == PART:
            yield part
            part = []
    yield part


def close(args: Mapping[str, Any]) -> Iterator[list[Connection]]:
    """Close those that are meant; tells of each."""
    code, reason = check_close(args["code"], args["reason"])
    closed = []
    for websocket, found in find(Filter.unpack(args)):
        websocket.close_nowait(code, reason)
        closed.append(found)
    yield closed


def count(args: Mapping[str, Any]) -> Iterator[list[dict[str, int]]]:
    """What there is in this process."""
    found = [one for _, one in find(Filter())]
    yield [
        {
            "connections": len(found),
            "received": sum(one.received or 0 for one in found),
            "sent": sum(one.sent for one in found),
            "bytes_in": sum(one.bytes_in or 0 for one in found),
            "bytes_out": sum(one.bytes_out or 0 for one in found),
            "waiting": sum(one.waiting for one in found),
        }
    ]


def answer_questions() -> None:
    """Let this process answer."""
    answer_with(LIST, tell)
    answer_with(CLOSE, close)
    answer_with(STATS, count)
