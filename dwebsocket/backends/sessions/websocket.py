"""What a view or a handler has of a session: the members of ``request.websocket``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from django.http import HttpRequest, HttpResponse

from dwebsocket.backends import live, room
from dwebsocket.backends.calls import Calls
from dwebsocket.backends.coroutine_end import note_end
from dwebsocket.backends.inbox import Inbox
from dwebsocket.backends.listening import NO_READER, Listener
from dwebsocket.backends.places import Place
from dwebsocket.backends.runner import Runner, Use
from dwebsocket.backends.sessions import registry
from dwebsocket.backends.sessions.opening import Opening
from dwebsocket.backends.sessions.positions import Positions
from dwebsocket.backends.sessions.runners import create_runner
from dwebsocket.backends.sessions.session import Session
from dwebsocket.backends.slow import count_slow
from dwebsocket.backends.sockets import ending
from dwebsocket.backends.waiters import wait_for_wake
from dwebsocket.conf import conf
from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.protocol.budget import RESERVE, cost_of
from dwebsocket.protocol.engineio import Packet, build_error, build_message, build_text
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.handshake import check_response
from dwebsocket.protocol.prepared import PreparedMessage
from dwebsocket.protocol.state import Reading
from dwebsocket.running.event_loop import is_in_event_loop
from dwebsocket.running.threads import in_thread
from dwebsocket.websocket import BaseWebSocket, BytesLike, Message, wrong_timeout

__all__ = ["SessionWebSocket"]

CLOSED = Reading.CLOSED


class SessionWebSocket(BaseWebSocket):
    """Used by a view, by the calls of a handler, or by coroutines, in whatever thread, greenlet or
    event loop these are.
    """

    __slots__ = (
        "_address",
        "_brought",
        "_calls",
        "_inbox",
        "_knows_end",
        "_opening",
        "_place",
        "_response",
        "_resumes",
        "_session",
        "_session_owner",
        "_task",
        "_tell_coroutine",
    )

    _brought: str | None  # the positions that the client has said, until it is accepted
    _calls: Calls | None  # of a handler
    _knows_end: bool  # see coroutine_end.Owner
    _positions: Positions | None = None  # no slot, as the base class has it
    _response: HttpResponse | None  # what the server's request ends with
    _session: Session
    _task: asyncio.Task[None] | None
    _tell_coroutine: Callable[[], object] | None

    def __init__(
        self, request: HttpRequest, place: Place, opening: Opening, resumes: bool, owner: Any
    ) -> None:
        super().__init__()
        self._resumes, self._session_owner = resumes, owner
        self._brought = request.GET.get("positions") or None
        self._address: str | None = request.META.get("REMOTE_ADDR") or None
        self._place = place
        self._opening: Opening | None = opening
        self._read_lock = place.create_lock()
        self._inbox = Inbox(place.create_lock, conf.MAX_MESSAGE_SIZE)
        self._calls = self._task = self._tell_coroutine = self._response = None
        self._knows_end = False

    # The opening handshake

    def accept_connection(self, subprotocol: str | None, headers: Mapping[str, str]) -> None:
        assert self._opening is not None
        check_response(subprotocol, headers.items())
        self._check_room()
        session = self._session = self._create_session(registry.create_sid(), subprotocol)
        if self._resumes:
            self._positions, self._brought = Positions(self, self._brought), None
        # First: its client may come back before this goes on.
        registry.add(session, self._place.start, self._place.sleep)
        websockets.add(self)
        try:
            self._response = self._opening.open(session, subprotocol, headers)
        except BaseException:
            websockets.discard(self)
            registry.discard(session)
            raise
        self._opening = None

    def _check_room(self) -> None:
        room.check_room(registry.count())

    def _create_session(self, sid: str, subprotocol: str | None) -> Session:
        session = Session(sid, self, self._inbox, resumes=self._resumes, protocol=subprotocol)
        session.owner = self._session_owner
        return session

    # Positions

    @property
    def _awaits_positions(self) -> bool:
        return self._positions is not None and self._positions.waits

    def _settle_positions(self) -> None:
        """Whoever uses it has joined the groups that it joins at first."""
        if self._positions is not None and self._positions.waits:
            self._positions.settle()

    def _note_time(self, now: float) -> None:
        """See ``User``. A handler has ``on_open``, whose end is the time."""
        if self._positions is not None and not self._has_listener and self._positions.is_due(now):
            self._positions.settle()

    def _take_response(self) -> HttpResponse | None:
        response, self._response = self._response, None
        return response

    @property
    def transport(self) -> str:
        return self._session.kind if self._opening is None else self._opening.kind

    # Sending

    def send(self, message: str | BytesLike) -> None:
        packet = build_text(message) if isinstance(message, str) else self._as_bytes(message)
        self._check_open()
        if self._may_wait():
            self._wait_for_room()
        self._send(packet)

    def _send(self, packet: Packet) -> None:
        self._sent += 1
        if not self._session.send(packet):
            raise self._closed_error()

    def send_nowait(self, message: PreparedMessage) -> None:
        self._sent += 1
        self._session.send_of_group(message.identity, build_message(message))

    def send_ping(self, payload: bytes) -> None:
        self._check_open()  # the session pings, and has no payload for that

    def _may_wait(self) -> bool:
        return not self._has_listener and not is_in_event_loop()

    def _wait_for_room(self) -> None:
        """Wait until the client has taken what is on its way, if that is much."""
        woken = self._place.create_lock()
        woken.acquire()
        if self._session.add_room_waiter(woken.release):
            timeout = conf.SEND_TIMEOUT
            if not (woken.acquire() if timeout is None else woken.acquire(timeout=timeout)):
                self._session.end(1006, "the peer did not take the data in time", farewell=False)
            self._check_open()

    def _closed_error(self) -> ConnectionClosed:
        note_end(self)
        return super()._closed_error()

    def _show_error(self, error: BaseException) -> None:
        if self._resumes:
            self._session.tell(build_error(error))

    # Receiving

    def receive_messages(self, deadline: float | None) -> list[Message]:
        self._settle_positions()
        while self._state.reading != CLOSED:
            messages = self._inbox.take_some(RESERVE)
            if messages or self._inbox.is_closed:
                return messages
            self._inbox.wait(deadline)
        return []

    def receive_available(self) -> list[Message]:
        # A view that only looks, and reads nothing, does not make room for more of it.
        room = conf.MAX_MESSAGE_SIZE + RESERVE - cost_of(self._ready)
        return [] if self._state.reading == CLOSED else self._inbox.take_some(room)

    def fileno(self) -> int:
        return self._inbox.fileno() if self.accepted else -1

    def _count_received(self) -> int:
        return self._session.received

    def _count_waiting(self) -> int:
        return self._session.waiting

    def _find_address(self) -> str | None:
        return self._address

    # In coroutines

    async def areceive(self, timeout: float | None = None) -> Message | None:
        self._check_accepted()
        self._settle_positions()
        try:
            end = None if timeout is None or timeout < 0 else monotonic() + timeout
        except TypeError as error:
            raise wrong_timeout(timeout, error) from error
        while self._state.reading != CLOSED:
            message = self._ready.pop() if self._ready else self._inbox.take()
            if message is not None:
                return message
            if self._inbox.is_closed:
                break
            await self._arelease_database()
            await wait_for_wake(self._inbox.add_waiter, self._inbox.discard_waiter, end)
        note_end(self)
        if self._told:
            raise self._closed_error()
        self._told = True
        return None

    async def asend(self, message: str | BytesLike) -> None:
        self.send(message)
        await self.adrain()

    async def adrain(self) -> None:
        session, timeout = self._session, conf.SEND_TIMEOUT
        end = None if timeout is None else monotonic() + timeout
        try:
            await wait_for_wake(session.add_room_waiter, session.discard_room_waiter, end)
        except TimeoutError:
            await in_thread(session.end, 1006, "the peer did not take the data in time")
            raise self._closed_error() from None

    # The end

    def close_nowait(self, code: int, reason: str) -> None:
        self._session.end(code, reason)

    def close_connection(self, code: int, reason: str, timeout: float) -> None:
        note_end(self)
        self._session.end(code, reason)
        self._state.stop_reading()  # what has come is not wanted, whoever has closed
        self._ready.clear()
        self._inbox.clear()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        self.close(code, reason)  # never waits

    def _note_end(self, code: int, reason: str) -> None:
        """The session has ended: see ``User``."""
        self.end(code, reason)
        self._state.stop_reading(Reading.CLOSING)
        self._state.send_close()
        websockets.discard(self)
        if self._calls is not None:
            self._calls.wake()
        if self._tell_coroutine is not None:
            self._tell_coroutine()

    def _note_too_slow(self) -> None:
        """Too much waits for the client: see ``User``."""
        count_slow()

    def _go_away(self, code: int) -> None:
        """The process ends, and nobody takes it over."""
        self._session.end(code, "", lingers=False)

    def _lose(self, reason: str) -> None:
        """It cannot be looked after."""
        self._session.end(CloseCode.ABNORMAL_CLOSURE, reason, farewell=False, lingers=False)

    def _leave(self, reason: str) -> None:
        """Another process goes on with it."""
        self._connection_log = self._origin = None
        self.end(CloseCode.SERVICE_RESTART, reason)
        self._state.stop_reading()
        self._state.send_close()
        websockets.discard(self)
        self._inbox.clear()
        self._finish()

    def _finish(self) -> None:
        self._inbox.close_descriptor()

    # Who uses it

    def _create_runner(self, request: HttpRequest, use: Use, *, accepts: bool) -> Runner:
        return create_runner(self, self._place, use)

    @property
    def _loop(self) -> asyncio.AbstractEventLoop | None:
        return self._place.loop

    def _attach_listener(self, listener: Listener) -> Callable[[], None]:
        """Have ``listener`` told what comes, once the returned function is called."""
        listener.calls_anew = self._place.calls_anew
        self._read_lock = NO_READER
        self._has_listener = True
        calls = Calls(self, self._place.start_call, self._inbox, listener)

        def start() -> None:  # what comes before that waits
            self._settle_positions()
            self._inbox.on_put = calls.wake
            calls.start()

        return start


#: Those that are open in this process.
websockets: set[SessionWebSocket] = set()


def find_websockets() -> list[SessionWebSocket]:
    return list(websockets)


live.sources.append(find_websockets)
ending.add_source(find_websockets)
