"""What carries a session: a WebSocket, or polls. A session calls them with its lock held: nothing
here waits, and nothing calls the session from within.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import ClassVar, Protocol

from dwebsocket.backends.replies import Reply
from dwebsocket.conf import conf
from dwebsocket.protocol.engineio import EMPTY, NOOP, Packet, encode_payload
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.prepared import PreparedMessage
from dwebsocket.running.event_loop import call_in_loop, set_done
from dwebsocket.transports.base import Lock
from dwebsocket.websocket import BaseWebSocket, Message

__all__ = [
    "AwaitedCarrier",
    "Carrier",
    "CarryingWebSocket",
    "DrivenCarrier",
    "HeldCarrier",
    "Polls",
    "SessionEnd",
    "WebSocketCarrier",
]

#: Seconds after which a poll is answered though there is nothing to say: some proxies end what
#: takes 30.
POLL_TIMEOUT = 25.0


#: Seconds in which what a client has sent at once is taken in, one after the other.
SETTLED = 0.05


class SessionEnd(Protocol):
    """The session, for its carriers.

    Attributes:
        is_here: whether it is in this process.
    """

    is_here: ClassVar[bool]

    def take_in(self, carrier: WebSocketCarrier, packets: Sequence[Packet]) -> bool:
        """A carrier has brought packets; whether there is room for more."""
        ...

    def lose(self, carrier: WebSocketCarrier) -> None:
        """A carrier has ended."""

    def end(self, code: int, reason: str) -> bool:
        """The session ends."""
        ...


class Carrier(Protocol):
    """A way for packets."""

    kind: ClassVar[str]

    @property
    def is_ready(self) -> bool:
        """Whether it takes packets now."""
        ...

    def send(self, packets: Sequence[Packet]) -> None:
        """Take these."""

    def finish(self, code: int, reason: str) -> None:
        """The session ends, or goes on by another carrier; what there was to say has been."""

    def set_reading(self, on: bool) -> None:
        """Whether more is wanted."""


class CarryingWebSocket(Protocol):
    """A WebSocket, as far as it carries a session; it may be another process's."""

    @property
    def close_code(self) -> int | None:
        """Why it has ended; ``None``: it has not."""
        ...

    def send_nowait(self, message: PreparedMessage) -> None:
        """Send a message. Never waits, never raises."""

    def close_nowait(self, code: int, reason: str) -> None:
        """Begin the closing handshake behind that. Never waits, never raises."""

    def _set_reading(self, on: bool) -> None:
        """Whether a listener is told more."""


class WebSocketCarrier:
    """A WebSocket."""

    kind: ClassVar[str] = "websocket"
    is_ready = True

    __slots__ = ("_session", "_websocket")

    def __init__(self, session: SessionEnd, websocket: CarryingWebSocket) -> None:
        self._session = session
        self._websocket = websocket

    @property
    def close_code(self) -> int | None:
        """Why it has ended."""
        return self._websocket.close_code

    @property
    def websocket(self) -> CarryingWebSocket:
        """It."""
        return self._websocket

    def send(self, packets: Sequence[Packet]) -> None:
        """See ``Carrier``; so have the rest."""
        for packet in packets:
            # One server throws empty messages away.
            self._websocket.send_nowait(PreparedMessage(packet or EMPTY))

    def finish(self, code: int, reason: str) -> None:
        """See ``Carrier``."""
        self.set_reading(True)
        self._websocket.close_nowait(code, reason)

    def set_reading(self, on: bool) -> None:
        """See ``Carrier``."""
        raise NotImplementedError

    def call_behind(self, function: Callable[[], None]) -> None:
        """Have this called when what the client has sent, as far as it is here, is taken in."""
        function()


class DrivenCarrier(WebSocketCarrier):
    """One for which a loop reads: the ``Listener`` of what comes."""

    __slots__ = ("calls_anew", "stalled")

    def __init__(self, session: SessionEnd, websocket: CarryingWebSocket) -> None:
        super().__init__(session, websocket)
        self.calls_anew = self.stalled = False

    def set_reading(self, on: bool) -> None:
        self._websocket._set_reading(on)

    def receive(self, messages: list[Message]) -> None:
        """See ``Listener``."""
        packets = messages[::-1]
        messages.clear()
        self._session.take_in(self, packets)

    def end(self) -> None:
        """See ``Listener``."""
        self._session.lose(self)


class HeldCarrier(WebSocketCarrier):
    """One for which the server's thread reads, since the connection cannot leave it.

    Args:
        create_lock: makes a lock that lets others go on while one waits for it.
    """

    __slots__ = ("_create_lock", "_gate")

    _gate: Lock | None  # held while nothing is to be read
    _websocket: BaseWebSocket

    def __init__(
        self, session: SessionEnd, websocket: BaseWebSocket, create_lock: Callable[[], Lock]
    ) -> None:
        super().__init__(session, websocket)
        self._create_lock = create_lock
        self._gate = None

    def set_reading(self, on: bool) -> None:
        gate, self._gate = self._gate, None
        if on and gate is not None:
            gate.release()
        if not on:
            self._gate = self._create_lock()
            self._gate.acquire()

    def hold(self) -> None:
        """Read until the connection ends."""
        try:
            self._wait()
            for message in self._websocket:
                if not self._session.take_in(self, [message]):
                    self._wait()
        finally:
            self._session.lose(self)
            self._websocket.close_connection(CloseCode.NORMAL_CLOSURE, "", conf.CLOSE_TIMEOUT)

    def _wait(self) -> None:
        """Wait until something is to be read."""
        gate = self._gate
        if gate is not None:
            gate.acquire()


class AwaitedCarrier(WebSocketCarrier):
    """One for which a coroutine reads, in the server's event loop."""

    __slots__ = ("_gate", "_loop")

    _gate: asyncio.Future[None] | None  # done when more is to be read
    _websocket: BaseWebSocket

    def __init__(
        self, session: SessionEnd, websocket: BaseWebSocket, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(session, websocket)
        self._loop = loop
        self._gate = None

    def set_reading(self, on: bool) -> None:
        gate, self._gate = self._gate, None
        if on and gate is not None:
            call_in_loop(self._loop, set_done, gate)
        if not on:
            self._gate = self._loop.create_future()

    def call_behind(self, function: Callable[[], None]) -> None:
        call_in_loop(self._loop, self._loop.call_later, SETTLED, function)

    async def run(self) -> None:
        """Read until the connection ends."""
        websocket = self._websocket
        try:
            await self._wait()
            async for message in websocket:
                if not self._session.take_in(self, [message]):
                    await self._wait()
        except asyncio.CancelledError:  # the server ends
            self._session.end(CloseCode.GOING_AWAY, "")
            raise
        finally:
            self._session.lose(self)
            if not websocket.close_code:
                websocket.close_nowait(CloseCode.NORMAL_CLOSURE, "")
            websocket._finish()

    async def _wait(self) -> None:
        """Wait until something is to be read."""
        gate = self._gate
        if gate is not None:
            await gate


class Polls:
    """GET requests, one after the other, that wait for something to say; and POST requests.

    Attributes:
        posted: the answer to a POST that waits until what it has brought is read.
    """

    kind: ClassVar[str] = "polling"

    __slots__ = ("_escapes", "_held", "_reply", "_until", "posted")

    def __init__(self, *, escapes: bool) -> None:
        self._escapes = escapes
        self._reply: Reply | None = None
        self._until = 0.0
        self.posted: Reply | None = None
        self._held: tuple[Reply, Callable[[], None]] | None = None

    @property
    def is_ready(self) -> bool:
        """See ``Carrier``; so have the rest."""
        return self._reply is not None

    def wait(self, reply: Reply) -> None:
        """A GET that waits."""
        self._reply = reply
        self._until = monotonic() + POLL_TIMEOUT

    def forget(self, reply: Reply) -> None:
        """Its client has left."""
        if self._reply is reply:
            self._reply = None

    def send(self, packets: Sequence[Packet]) -> None:
        """See ``Carrier``."""
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.give(encode_payload(packets, escapes=self._escapes))

    def refuse(self) -> None:
        """Another carrier takes over while a poll waits, whose client knows of it."""
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.give("", status=400)
        self.set_reading(True)
        self._refuse_held()

    def tick(self, now: float) -> None:
        """Answer a poll whose time is up."""
        if now >= self._until:
            self.send([NOOP])

    def finish(self, code: int, reason: str) -> None:
        """See ``Carrier``."""
        self.send([NOOP])
        self.set_reading(True)
        self._refuse_held()

    def set_reading(self, on: bool) -> None:
        """See ``Carrier``."""
        if on and self.posted is not None:
            self.posted.give("ok")
            self.posted = None

    def hold(self, reply: Reply, again: Callable[[], None]) -> None:
        """A POST comes while there is no room for what it brings; one that has been held before is
        refused: its client has given it up.

        Args:
            again: called without the lock when there is room.
        """
        self._refuse_held()
        self._held = reply, again

    def take_held(self) -> Callable[[], None] | None:
        """What is to be called now that there is room."""
        held, self._held = self._held, None
        return None if held is None else held[1]

    def _refuse_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held[0].give("", status=400)
