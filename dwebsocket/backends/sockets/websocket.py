"""A WebSocket over a transport: what the backends that hold a socket or a descriptor share.

Who may do what: one thread or greenlet at a time reads (it holds ``_read_lock``), one at a time
writes (``_write_lock``); neither waits for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from time import monotonic

from django.http import HttpRequest

from dwebsocket.backends import room
from dwebsocket.backends.listening import Listener, ListenerLock
from dwebsocket.backends.sockets import sweeper
from dwebsocket.backends.sockets.driver import MAX_DISCARDED, Driver
from dwebsocket.backends.sockets.sending import SendingWebSocket
from dwebsocket.conf import conf
from dwebsocket.protocol.connection import ServerConnection
from dwebsocket.protocol.deflate import PerMessageDeflate, negotiate
from dwebsocket.protocol.frames import Opcode, build_close, build_frame_header
from dwebsocket.protocol.handshake import OWS, build_response
from dwebsocket.transports import Transport
from dwebsocket.transports.base import remaining
from dwebsocket.transports.descriptors import is_full

__all__ = ["SocketWebSocket"]


class SocketWebSocket(SendingWebSocket):
    """A WebSocket that drives the protocol itself, over a ``Transport``."""

    __slots__ = ("_extensions", "_key", "_pinged")

    def __init__(self, request: HttpRequest) -> None:
        super().__init__()
        meta = request.META
        self._key = meta.get("HTTP_SEC_WEBSOCKET_KEY", "").strip(OWS)
        self._extensions, self._deflate = self._negotiate(meta.get("HTTP_SEC_WEBSOCKET_EXTENSIONS"))
        self._connection = ServerConnection(conf.MAX_MESSAGE_SIZE, self._deflate)
        self._heard = self._looked = inf
        self._answering = 0.0
        self._pinged: float | None = None

    @staticmethod
    def _negotiate(offer: str | None) -> tuple[str | None, PerMessageDeflate | None]:
        if not conf.COMPRESSION:
            return None, None
        return negotiate(offer, context_takeover=conf.COMPRESSION_CONTEXT_TAKEOVER)

    # What a backend says

    def take_transport(self) -> tuple[Transport, bytes]:
        """The connection, taken from the server, and the bytes that it had already read of it.

        Raises:
            SocketTakeoverError: the server does not let go of it.
        """
        raise NotImplementedError

    def detach(self) -> None:
        """Take the connection away from the server, whose request is going to end, with all that is
        needed then. The last thing before the 101.

        Raises:
            NoRoom: there is no further thread.
            OSError: there is no further descriptor.
        """

    @property
    def default_max_connections(self) -> int | None:
        """How many WebSockets this process may hold where the setting does not say and its own
        descriptors are not what counts.
        """
        return None

    # The opening handshake

    def accept_connection(self, subprotocol: str | None, headers: Mapping[str, str]) -> None:
        response = build_response(self._key, subprotocol, headers.items(), self._extensions)
        sweeper.expect(self, self.default_max_connections)
        try:
            self._accept(response)
        except OSError as error:
            if is_full(error) and not self.accepted:  # since we have looked
                raise room.TooFewDescriptors from error
            raise
        finally:
            sweeper.give_up(self)

    def _accept(self, response: bytes) -> None:
        early = self._take_connection()
        self._heard = self._looked = monotonic()
        self._state.open()
        try:
            self.transport.send(response, self._send_deadline())
        except OSError as error:
            self._lose(f"the peer left during the handshake: {error}")
            return
        sweeper.add(self)
        if early:
            messages = self._receive(early, len(early), reading=True)
            messages.reverse()
            self._ready = messages

    def _take_connection(self) -> bytes:
        """All that can fail: take the connection, and what it needs; what has come early."""
        self.transport, early = self.take_transport()
        self._read_lock = self.transport.create_lock()
        self._write_lock = self.transport.create_lock()
        if self._deflate is not None and self._deflate.keeps_context:
            self._deflate_lock = self.transport.create_lock()
        try:
            self.transport.prepare_watching()
            self.detach()
        except BaseException:
            self.transport.give_back()
            raise
        return early

    def fileno(self) -> int:
        return self.transport.fileno() if self.accepted else -1

    def finish(self) -> None:
        self.transport.close()

    # The end

    def close_connection(self, code: int, reason: str, timeout: float) -> None:
        frame = build_close(code, reason)
        deadline = monotonic() + timeout
        self._answering = 0.0
        if self._driver is not None:
            self._close_driven(self._driver, code, reason, timeout)
            return
        if self._state.reading:
            self._reply_close(deadline)
        else:
            self._decide_close(code, reason)
            self._send_close(frame, deadline)
        self._await_end(deadline)
        self._ready.clear()
        self._state.stop_reading()
        self.transport.shutdown()
        self.stop_flushing()
        self._leave()

    def _leave(self) -> None:
        sweeper.discard(self)

    def _close_driven(self, driver: Driver, code: int, reason: str, timeout: float) -> None:
        """Send our Close. Nobody waits for the peer's, the loop will find it."""
        self._ready.clear()
        if not self._state.reading:
            self.post_close(code, reason)
            driver.close(timeout)

    def _await_end(self, deadline: float) -> None:
        """Read until the peer's Close, throwing away what comes before it (RFC 6455, 7.1.1)."""
        if self._has_listener or not self._read_lock.acquire(timeout=remaining(deadline)):
            return
        try:
            rest = MAX_DISCARDED
            while not self._state.reading and rest > 0:
                if self._connection.rest:
                    self._receive_rest(reading=False)
                    continue
                buffer, count = self.transport.receive(deadline)
                rest -= count
                self._receive(buffer, count, reading=False)
            if self._connection.failure is not None and not self.is_lost:
                self._linger(deadline, rest)
        except OSError:
            pass
        finally:
            self._read_lock.release()

    def _linger(self, deadline: float, rest: int) -> None:
        """After a breach nothing can be parsed: hang up without tearing our Close away from the
        peer, as closing with unread input would (RFC 6455, 7.1.1).
        """
        self.end_writing()
        while rest > 0:
            _, count = self.transport.receive(deadline)
            if not count:
                return
            rest -= count

    # What a driver does, on behalf of a handler

    def attach_driver(self, listener: Listener) -> Callable[[], None]:
        """Have a loop read, and tell ``listener``, once the returned function is called."""
        listener.calls_anew = self.transport.calls_anew
        self._driver = Driver(self, listener)
        self._read_lock = ListenerLock(self._read_lock)
        self._has_listener = True
        return self._driver.start

    @property
    def has_failed(self) -> bool:
        """Whether the peer broke the protocol."""
        return self._connection.failure is not None

    def leave_reading_to(self, driver: Driver) -> None:
        """The driver alone reads from now on."""
        self._read_lock.close()
        self._read_lock = driver

    @property
    def has_early(self) -> bool:
        """Whether there is something to do for the loop before anything else comes."""
        return bool(self._ready or self._connection.rest or self._state.reading)

    def end_answers(self) -> None:
        """Answer the peer's Close, now that all that came before it has been answered."""
        self._answering = 0.0
        self._reply_close()

    def release(self) -> None:
        """Give the descriptor back: the loop is done with this connection."""
        self._leave()
        with self._write_lock:
            self._state.lose()
            self.transport.shutdown()
            self.transport.close()
        self._outgoing.clear()
        self._final = b""
        self._driver = None

    # What the sweeper does

    def get_stop_code(self) -> int | None:
        """The close code for the end of the server, once it has been told to end."""
        return None

    def sweep(self, now: float, interval: float | None, timeout: float | None) -> bool:
        """Send a Ping after ``interval`` seconds of silence; whether the peer was dropped because
        it left one unanswered for ``timeout`` seconds. Never blocks.
        """
        if self._state.reading:
            if now > self._heard + conf.CLOSE_TIMEOUT and now > self._answering:
                self._reply_close()
            return False
        if self._pinged is not None and self._heard > self._pinged:
            self._pinged = None  # answered
        if interval is None or now - self._heard < interval:
            return False
        driver = self._driver
        if driver is not None and (driver.busy or self.transport.has_unread()):
            return False  # the loop does not read meanwhile, or has not come to it
        if self._pinged is None:
            self._pinged = now
            self._outgoing.append(build_frame_header(Opcode.PING, 0))
            self.try_flush()
            return False
        self._look_aside()
        if self._state.reading or timeout is None or now - max(self._pinged, self._heard) < timeout:
            return False
        self._lose(f"the peer did not answer a Ping within {timeout} seconds")
        return True
