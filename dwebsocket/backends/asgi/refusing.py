"""The HTTP answer to a handshake that becomes no WebSocket, where the connection is taken from the
server: not every one would pass it on.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from django.utils.http import http_date

from .connection import Event
from .parts import GRACE
from .servers import AsgiTakeover

__all__ = ["end_taken", "refuse_taken"]

#: Bytes thrown away before the answer, in pieces of so many.
MAX_DISCARDED = 1 << 20
CHUNK = 65536

#: Answers that have no body.
BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


def refuse_taken(
    takeover: AsgiTakeover, refusal: list[Event], loop: asyncio.AbstractEventLoop
) -> None:
    """Take the connection, answer, and end it. In the loop.

    Args:
        refusal: the events of an answer (ASGI specification, "Websocket Denial Response").
    """
    start, body = refusal
    end_taken(takeover, loop, build_answer(start["status"], start["headers"], body["body"]))


def end_taken(takeover: AsgiTakeover, loop: asyncio.AbstractEventLoop, last: bytes = b"") -> None:
    """Take the connection, and end it behind these bytes. In the loop."""
    if takeover.has_ended:
        return
    transport = takeover.transport
    transport.set_protocol(asyncio.Protocol())
    takeover.release()
    discard(transport)
    if last:
        transport.write(last)
    loop.call_later(GRACE, transport.abort)
    transport.close()


def discard(transport: Any) -> None:
    """Throw away what has come, so that the end does not tear our answer from the client."""
    sock, rest = transport.get_extra_info("socket"), MAX_DISCARDED
    try:
        while rest > 0 and (data := os.read(sock.fileno(), CHUNK)):
            rest -= len(data)
    except OSError:  # nothing more is here
        pass


def build_answer(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes:
    """The whole answer."""
    known = {name for name, _ in headers}
    further = []
    if b"date" not in known:
        further.append((b"date", http_date().encode()))
    if b"content-length" not in known and status not in BODILESS:
        further.append((b"content-length", b"%d" % len(body)))
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}".encode()]
    lines += [name.title() + b": " + value for name, value in (*headers, *further)]
    return b"\r\n".join([*lines, b"", b""]) + (b"" if status in BODILESS else body)
