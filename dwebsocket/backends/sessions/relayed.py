"""Requests that have come to another process, for sessions of this one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NoReturn

from dwebsocket.backends.replies import Reply
from dwebsocket.backends.sessions.carriers import DrivenCarrier
from dwebsocket.backends.sessions.claims import (
    Claim,
    HasLeft,
    Refused,
    carry,
    check_return,
    find_claimed,
    poll,
    post,
)
from dwebsocket.backends.sessions.registry import find_session
from dwebsocket.backends.sessions.relay.link import Stream, StreamUser
from dwebsocket.backends.sessions.relay.links import accept_with
from dwebsocket.backends.sessions.relay.messages import Item, pack_packets, unpack_packets
from dwebsocket.backends.sessions.session import Session
from dwebsocket.backends.sessions.transit import IsLeaving
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.prepared import PreparedMessage
from dwebsocket.supervisor import log_failure

__all__ = ["WINDOW", "accept"]

#: Bytes that may be on their way from a WebSocket to its session before they have been taken in.
WINDOW = 256 << 10


class RelayedRequest:
    """Uses the stream of a poll: says what its answer is, and hears that its client has left."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.reply = Reply(render_nothing)

    def answer_soon(self) -> None:
        """Say what the answer is, as soon as there is one."""
        if not self.reply.is_given:
            self._stream.send("waits")
        self.reply.when_given(self._answer)

    def _answer(self) -> None:
        text, status = self.reply.answer
        self._stream.send("answer", *pack_packets([text]), status, size=len(text))
        self._stream.close()

    def receive(self, item: Item) -> None:
        """See ``StreamUser``: the client has left."""
        self._stream.close()
        self.reply.tell_left()

    def break_off(self) -> None:
        """See ``StreamUser``."""
        self.reply.tell_left()


def render_nothing(text: str, status: int) -> NoReturn:
    raise AssertionError("the process renders it to which the request has come")


def answer_poll(stream: Stream, session: Session, claim: Claim, rest: Item) -> StreamUser:
    request = RelayedRequest(stream)
    poll(session, claim, request.reply)
    request.answer_soon()
    return request


def answer_post(stream: Stream, session: Session, claim: Claim, rest: Item) -> StreamUser:
    request = RelayedRequest(stream)
    (body,) = unpack_packets(rest)
    assert isinstance(body, bytes)  # as ``Elsewhere.post`` has it
    post(session, claim, body, request.reply)
    request.answer_soon()
    return request


class RelayedWebSocket:
    """A WebSocket of another process, for the carrier that it is here.

    Attributes:
        close_code: why it has ended.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.close_code: int | None = None

    def send_nowait(self, message: PreparedMessage) -> None:
        """As a WebSocket does; so have the rest."""
        event = message.event
        packet = event["text"] if "text" in event else event["bytes"]
        self._stream.send("packets", pack_packets([packet]), size=message.size)

    def close_nowait(self, code: int, reason: str) -> None:
        """Begin the closing handshake."""
        self._stream.send("finish", int(code), reason)

    def _set_reading(self, on: bool) -> None:
        self._stream.send("reading", on)


class RelayedCarrier:
    """Uses the stream of a WebSocket that another process has accepted, or is about to."""

    def __init__(self, stream: Stream, session: Session, received: int | None) -> None:
        self._stream = stream
        self._session = session
        self._received = received
        self._websocket = RelayedWebSocket(stream)
        self._carrier = DrivenCarrier(session, self._websocket)
        self._taken = 0  # bytes, of which the other side has not been told

    def receive(self, item: Item) -> None:
        """See ``StreamUser``."""
        kind, *values = item
        if kind == "begin":
            carry(self._session, self._carrier, self._received)
            self._session.start_reading(self._carrier)
        elif kind == "packets":
            self._take_in(*values)
        elif kind == "end":
            self._end(*values)

    def _take_in(self, values: Item, size: int) -> None:
        self._carrier.receive(unpack_packets(values)[::-1])
        self._taken += size
        if self._taken >= WINDOW // 4:
            self._stream.send("taken", self._taken)
            self._taken = 0

    def _end(self, code: int) -> None:
        self._stream.close()
        self._websocket.close_code = code
        self._carrier.end()

    def break_off(self) -> None:
        """See ``StreamUser``."""
        self._end(CloseCode.ABNORMAL_CLOSURE)


def answer_websocket(stream: Stream, session: Session, claim: Claim, rest: Item) -> StreamUser:
    received = check_return(session, claim)
    stream.send("opened", session.protocol if received is not None else None)
    return RelayedCarrier(stream, session, received)


class Nobody:
    """Uses a stream that has been answered."""

    def receive(self, item: Item) -> None:
        """See ``StreamUser``."""

    def break_off(self) -> None:
        """See ``StreamUser``."""


#: By what the first item says that the request is.
ANSWERS: dict[str, Callable[[Stream, Session, Claim, Item], StreamUser]] = {
    "poll": answer_poll,
    "post": answer_post,
    "websocket": answer_websocket,
}


class Postponed:
    """Uses a stream while its session is about to go to another process: it is answered then."""

    def __init__(self, stream: Stream, item: Item) -> None:
        self._stream = stream
        self._item = item
        self._lock = threading.Lock()
        self._user: StreamUser | None = None
        self._come: list[Item | None] = []

    def answer(self) -> None:
        """The session has gone, or stays. Never raises."""
        try:
            user = accept(self._stream, self._item)
        except Exception:
            log_failure("A request that another process relays cannot be answered")
            self._stream.close()
            return
        with self._lock:
            while self._come:
                tell(user, self._come.pop(0))
            self._user = user

    def receive(self, item: Item | None) -> None:
        """See ``StreamUser``."""
        with self._lock:
            if self._user is None:
                self._come.append(item)
                return
        tell(self._user, item)

    def break_off(self) -> None:
        """See ``StreamUser``."""
        self.receive(None)


def tell(user: StreamUser, item: Item | None) -> None:
    """Tell what has come; ``None``: the end."""
    if item is None:
        user.break_off()
    else:
        user.receive(item)


def accept(stream: Stream, item: Item) -> StreamUser:
    """Answer a request that another process relays."""
    kind, values, *rest = item
    claim = Claim.of(values)
    try:
        session = find_claimed(claim)
        if session is not None:
            return ANSWERS[kind](stream, session, claim, rest)
        stream.send("gone")
    except IsLeaving:
        postponed, session = Postponed(stream, item), find_session(claim.sid)
        if session is None or not session.when_settled(postponed.answer):
            return accept(stream, item)  # just now
        return postponed
    except HasLeft:
        stream.send("moved")
    except Refused as error:
        stream.send("refused", error.values)
    stream.close()
    return Nobody()


accept_with(accept)
