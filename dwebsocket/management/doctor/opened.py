"""What an open WebSocket can carry: what was agreed on, a Ping, silence, a long message."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from websockets.frames import Opcode

from dwebsocket.conf import conf

from .connection import Connection, Ended
from .findings import Finding, fault, ok, warning
from .visit import Visit

__all__ = ["examine_handshake", "examine_idle", "examine_latency", "explain_end"]

#: Seconds in which a Pong should come.
PATIENCE = 5.0
PINGS = 3


def examine_handshake(visit: Visit, connection: Connection) -> Iterator[Finding]:
    """The 101: the origin, the subprotocol, compression."""
    protocol = connection.protocol
    if visit.origin is None:
        yield ok("handshake", "101, without an Origin; browsers send one.")
    else:
        yield ok("handshake", f"101: a page of {visit.origin} may connect.")
    if visit.subprotocols and protocol.subprotocol is None:
        yield fault(
            "subprotocol",
            f"Of {', '.join(visit.subprotocols)} the view takes none; browsers fail such a "
            "connection.",
            "Name it in the view's subprotocols=[…].",
        )
    elif visit.subprotocols:
        yield ok("subprotocol", f"{protocol.subprotocol}.")
    yield examine_compression(connection)


def examine_compression(connection: Connection) -> Finding:
    agreed = bool(connection.protocol.extensions)
    if agreed:
        return ok("compression", "permessage-deflate is agreed on.")
    why = "" if conf.COMPRESSION else ": WEBSOCKET_COMPRESSION is off"
    return ok("compression", f"None is agreed on{why}.")


def examine_latency(connection: Connection) -> Finding:
    """Pings, one after the other.

    Raises:
        Ended: the connection has ended.
    """
    times = []
    for number in range(PINGS):
        seconds = connection.ping(b"doctor %d" % number, PATIENCE)
        if seconds is None:
            return warning(
                "latency",
                f"No Pong within {PATIENCE:.0f} s: the view does not read, or something on the way "
                "keeps it back.",
                "Have the view read now and then, or write a handler.",
            )
        times.append(seconds * 1000)
    return ok("latency", f"A Ping takes {statistics.median(times):.1f} ms.")


def examine_idle(connection: Connection, seconds: float) -> Finding:
    """Say nothing for so long; Pings are answered.

    Raises:
        Ended: the server has closed, with a Close.
    """
    before, started, messages = connection.pings, time.monotonic(), 0
    try:
        for frame in connection.frames(seconds):
            messages += frame.opcode in (Opcode.TEXT, Opcode.BINARY)
    except Ended as end:
        if end.code is not None:
            raise
        pings = count(connection.pings - before)
        return fault(
            "idle",
            f"Cut after {time.monotonic() - started:.0f} s of silence, without a Close: something "
            f"on the way does that. {pings} of the server's came.",
            f"Let it wait longer than there is between two Pings ({show_interval()}): nginx: "
            "proxy_read_timeout 60s; haproxy: timeout tunnel 1h; or set WEBSOCKET_PING_INTERVAL "
            "below its time-out.",
        )
    if messages:
        return ok("idle", f"Open after {seconds:g} s, and no silence: {messages} messages came.")
    found = connection.pings - before
    interval = conf.PING_INTERVAL
    if not found and (interval is None or interval < seconds):
        return warning(
            "idle",
            f"{seconds:g} s of silence, and no Ping of the server's: another proxy may cut.",
            "Set WEBSOCKET_PING_INTERVAL, or the ASGI server's option for Pings.",
        )
    return ok("idle", f"Open after {seconds:g} s of silence; {count(found)} of the server's came.")


def show_interval() -> str:
    interval = conf.PING_INTERVAL
    if interval is None:
        return "WEBSOCKET_PING_INTERVAL is None: none are sent"
    return f"WEBSOCKET_PING_INTERVAL is {interval:g} s"


def count(pings: int) -> str:
    return f"{pings} Ping" if pings == 1 else f"{pings} Pings"


def explain_end(end: Ended) -> Finding:
    """The view, or the server, has closed."""
    if end.code is None:
        return fault(
            "connection",
            f"Cut without a Close: {end.reason}.",
            "Look at the logs of the server and of the proxy.",
        )
    said = f"The server has closed with {end.code} {end.reason}".rstrip()
    if end.code == 1011:
        return fault("connection", f"{said}: the view has failed.", "Look at the server's log.")
    return warning(
        "connection",
        f"{said}: the rest was not looked at.",
        "Give an address whose view stays, and what it wants: --cookie, --header, --subprotocol.",
    )
