"""A connection that another process has had: it goes on here, and its 101 was sent there."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from django.http import HttpRequest

from dwebsocket.backends.base import BaseWebSocketFactory
from dwebsocket.backends.listening import Listener
from dwebsocket.backends.runner import Runner, Use
from dwebsocket.backends.sockets import sweeper, transit
from dwebsocket.backends.sockets.departing import Content, Late
from dwebsocket.backends.sockets.holding import NOTHING_KNOWN, Known
from dwebsocket.backends.sockets.takeover import Takeover
from dwebsocket.backends.sockets.websocket import SocketWebSocket
from dwebsocket.conf import conf
from dwebsocket.protocol.deflate import PerMessageDeflate, share
from dwebsocket.protocol.exceptions import InvalidHandshake
from dwebsocket.protocol.messages import Message
from dwebsocket.transports import Transport, create_transport
from dwebsocket.websocket import BaseWebSocket
from dwebsocket.websocket.stamps import seconds_since

__all__ = [
    "Arrival",
    "ArrivedWebSocket",
    "OtherSubprotocol",
    "check_use",
    "do_nothing",
    "telling_resumed",
]


class Arrival(Takeover):
    """One of them, until it goes on.

    Args:
        sock: ours alone.
        find_stop_signal: as that of the server that runs this process.

    Attributes:
        content: what came with it.
        state: what its handler had to say.
        websocket: once it is accepted.
    """

    def __init__(
        self,
        sock: socket.socket,
        content: Content,
        state: dict[str, Any],
        find_stop_signal: Callable[[], Callable[[], int | None] | None],
    ) -> None:
        self.sock = sock
        self.content = content
        self.state = state
        self.websocket: ArrivedWebSocket | None = None
        self._find_stop_signal = find_stop_signal
        self._refusal: tuple[int, str] | None = None

    def take_transport(self) -> tuple[Transport, bytes]:
        transport = create_transport(self.sock)
        transport.adopt()
        return transport, self.content.unread

    def find_stop_signal(self) -> Callable[[], int | None] | None:
        return self._find_stop_signal()

    def create_factory(self, request: HttpRequest) -> BaseWebSocketFactory:
        """What makes the WebSocket of the request that stands for the handshake."""
        return ArrivedFactory(request, self)

    def accept(
        self, request: HttpRequest, listen: Callable[[ArrivedWebSocket], Listener]
    ) -> ArrivedWebSocket:
        """Have it without a handler.

        Args:
            listen: makes what is told what comes, from ``begin`` on.

        Raises:
            OSError: the system has no room for it.
            NoRoom: this process has none.
        """
        websocket = ArrivedWebSocket(request, self)
        websocket.accept(self.content.subprotocol)
        websocket._attach_driver(listen(websocket))
        return websocket

    def begin(self, late: Late | None, before: Known = NOTHING_KNOWN) -> None:
        """Send what has come for the peer meanwhile, and read on, or close it.

        Args:
            before: what groups had sent to it in the other process.
        """
        if self.websocket is None:
            return
        self.websocket._begin(late, before)
        if self._refusal is not None:
            self.websocket.close_connection(*self._refusal, conf.CLOSE_TIMEOUT)

    def refuse(self, request: HttpRequest, code: int, reason: str) -> None:
        """It cannot go on here: ``begin`` closes it, behind what waits for the peer."""
        try:
            websocket = self.accept(request, lambda websocket: Silent())
        except (OSError, InvalidHandshake):  # there is no room for it
            self.sock.close()
            return
        websocket._ready.clear()
        self._refusal = code, reason

    def drop(self) -> None:
        """The other process keeps it."""
        self.sock.close()


class OtherSubprotocol(InvalidHandshake):
    """Another one was agreed on than this process would choose."""

    def __init__(self) -> None:
        super().__init__("Another subprotocol was agreed on in another process.")


class OtherUse(InvalidHandshake):
    """What accepts it here would keep whoever brings it, and those that come behind it."""

    def __init__(self) -> None:
        super().__init__("A handler has had it in another process, and here it is a view.")


def check_use(use: Use) -> None:
    """See to it that a handler gets it.

    Raises:
        OtherUse: a decorator around the handler does.
    """
    if use is not Use.HANDLER:
        raise OtherUse


class Silent:
    """The listener of a connection that is only closed."""

    calls_anew = stalled = False

    def receive(self, messages: list[Message]) -> None:
        messages.clear()

    def end(self) -> None:
        pass


class ArrivedFactory(BaseWebSocketFactory):
    """Makes the WebSocket of a request that stands for the handshake, which is over."""

    def __init__(self, request: HttpRequest, arrival: Arrival) -> None:
        super().__init__(request)
        self._arrival = arrival

    def check_handshake(self) -> None:
        pass  # it was good

    def create_websocket(self) -> BaseWebSocket | None:
        return self.build(ArrivedWebSocket, self.request, self._arrival)


class ArrivedWebSocket(SocketWebSocket):
    """Has nothing called and nothing sent until ``_begin``."""

    __slots__ = ("_arrival", "_start")

    def __init__(self, request: HttpRequest, arrival: Arrival) -> None:
        self._arrival: Arrival | None = arrival
        super().__init__(request, arrival)
        self._kept_state = arrival.state
        # Has its loop read; as long as nobody is told of it, all that can be done is to hang up.
        self._start: Callable[[], None] = self._release

    def _create_runner(self, request: HttpRequest, use: Use, *, accepts: bool) -> Runner | None:
        check_use(use)
        return super()._create_runner(request, use, accepts=accepts)

    def _agree(self, offer: str | None) -> tuple[str | None, PerMessageDeflate | None]:
        assert self._arrival is not None
        bits = self._arrival.content.deflate
        return None, None if bits is None else share(*bits)

    def accept(
        self, subprotocol: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        arrival = self._arrival
        assert arrival is not None
        with telling_resumed(self, arrival.content):
            super().accept(subprotocol, headers)
        arrival.websocket = self

    def accept_connection(self, subprotocol: str | None, headers: Mapping[str, str]) -> None:
        assert self._arrival is not None
        assert self._takeover is not None
        content = self._arrival.content
        if subprotocol != content.subprotocol:
            raise OtherSubprotocol
        # That there is room was said when it was offered: it has its descriptor.
        unread = self._take_connection(self._takeover)
        transit.hold(self._writer)
        if content.unsent:
            transit.put_first(self._writer, content.unsent)
        self._state.open()
        sweeper.add(self)
        connection = self._reader.connection
        connection.received = content.received
        self._ready = list(content.ready)
        if unread:
            found = self._reader.feed(unread, len(unread), reading=True)
            found.reverse()
            self._ready = found + self._ready

    def _attach_driver(self, listener: Listener) -> Callable[[], None]:
        self._start = super()._attach_driver(listener)
        return do_nothing

    def close_connection(self, code: int, reason: str, timeout: float) -> None:
        if self._arrival is not None and self._writer.driver is None:
            timeout = 0.0  # whoever brings it has others, too, and waits for the peer of none
        super().close_connection(code, reason, timeout)

    def _begin(self, late: Late | None, before: Known) -> None:
        """Go on: see ``Arrival.begin``."""
        self._arrival = None
        try:
            self._take_late(late, before)
        except BaseException:  # held, it would be neither served nor closed
            self._lose("of an error that is logged")
            raise
        finally:
            self._start()
            self._writer.try_flush()

    def _take_late(self, late: Late | None, before: Known) -> None:
        writer = self._writer
        if late is None:
            transit.release(writer)
            return
        if late.unsent:
            transit.put_last(writer, late.unsent)
        transit.release(writer, late.held, before, is_too_much=late.is_too_much)
        if late.close is not None:
            self.close_nowait(*late.close)


class Counted(Protocol):
    """What is known of a connection since it was accepted."""

    @property
    def stamp(self) -> int: ...
    @property
    def sent(self) -> int: ...


@contextmanager
def telling_resumed(websocket: BaseWebSocket, content: Counted) -> Iterator[None]:
    """While it is accepted: it was before, and the log says so."""
    log, websocket._connection_log = websocket._connection_log, None  # it was told there
    yield
    websocket._connection_log = log
    websocket._opened, websocket._sent = content.stamp, content.sent
    if log is not None:
        log.tell_resumed(seconds_since(content.stamp))


def do_nothing() -> None:
    """Stands for the start of what comes later."""
