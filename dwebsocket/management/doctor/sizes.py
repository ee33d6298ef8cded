"""How long a message may be: on connections of their own, without compression, so that every byte
passes the way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from dwebsocket.conf import UNLIMITED, conf

from .connection import Answer, Connection, Ended, shake_hands
from .findings import Finding, fault, ok, warning
from .reaching import Unreachable, reach
from .visit import Visit

__all__ = ["examine_size"]

#: Seconds for a message to be read.
PATIENCE = 30.0
#: Seconds behind the Pong: ASGI servers answer a Ping before our limit has seen the message.
SETTLING = 2.0
TOO_BIG = 1009


def examine_size(visit: Visit, size: int | None) -> Iterator[Finding]:
    """Send a message of so many bytes; and, where that is the setting's, one byte more.

    Args:
        size: bytes; ``None``: ``WEBSOCKET_MAX_MESSAGE_SIZE``.
    """
    limit = conf.MAX_MESSAGE_SIZE
    if size is None and limit == UNLIMITED:
        yield ok("size", "WEBSOCKET_MAX_MESSAGE_SIZE is None. Give a number to --size.")
        return
    wanted = limit if size is None else size
    end = send(visit, wanted)
    if end is not None:
        yield explain(end, wanted)
        return
    yield ok("size", f"A message of {wanted} bytes is taken.")
    if wanted == limit:
        yield examine_beyond(send(visit, limit + 1), limit)


def send(visit: Visit, size: int) -> Ended | None:
    """Send one such message; the end of the connection, if it was not taken."""
    try:
        connection: Connection | Answer = shake_hands(reach(visit, []), visit, compress=False)
    except Unreachable as error:
        return Ended(None, str(error))
    if isinstance(connection, Answer):
        return Ended(None, f"the handshake is answered with {connection.status}")
    try:
        connection.send("x" * size)
        if connection.ping(os.urandom(8), PATIENCE) is None:
            connection.hang_up()
            return Ended(None, f"no answer within {PATIENCE:.0f} s")
    except Ended as end:
        connection.hang_up()
        return end
    return settle(connection)


def settle(connection: Connection) -> Ended | None:
    """The end that comes a little later; not that of a view that has had enough."""
    try:
        for _ in connection.frames(SETTLING):
            pass
    except Ended as end:
        connection.hang_up()
        return end if end.code in (None, TOO_BIG) else None
    connection.close()
    return None


def explain(end: Ended, size: int) -> Finding:
    """Why a message was not taken."""
    if end.code == TOO_BIG:
        limit = conf.MAX_MESSAGE_SIZE
        here = f"WEBSOCKET_MAX_MESSAGE_SIZE is {limit} here"
        advice = (
            f"settings: WEBSOCKET_MAX_MESSAGE_SIZE = {size}."
            if limit < size
            else "So it is the server's own limit, or it runs with other settings: uvicorn "
            "--ws-max-size, daphne and gunicorn -k asgi --websocket-max-message-size."
        )
        return fault("size", f"A message of {size} bytes is too long: 1009. {here}.", advice)
    if end.code is None:
        return fault(
            "size",
            f"A message of {size} bytes has ended the connection: {end.reason}.",
            "Something on the way has a limit, or the view does not read. Look at its log.",
        )
    return warning(
        "size",
        f"The view has closed with {end.code} {end.reason}".rstrip() + f" at {size} times 'x'.",
        "Its size is not the matter. Give an address whose view takes any text.",
    )


def examine_beyond(end: Ended | None, limit: int) -> Finding:
    if end is not None and end.code == TOO_BIG:
        return ok("size", "One byte more is refused with 1009.")
    found = "is taken" if end is None else f"ends with {end.code or 'no Close'} {end.reason}"
    return warning(
        "size",
        f"A message of {limit + 1} bytes {found.rstrip()}: WEBSOCKET_MAX_MESSAGE_SIZE would have "
        "it refused with 1009.",
        "Does the server run with these settings? Restart it.",
    )
