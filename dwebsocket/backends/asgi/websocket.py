"""A WebSocket of an ASGI server: its beginning, who uses it, and its end."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping

from django.http import HttpRequest

from dwebsocket.backends.coroutine_end import cancel_task, note_end, wait_for_task
from dwebsocket.backends.listening import NO_READER, Listener
from dwebsocket.backends.room import check_room
from dwebsocket.backends.runner import Runner, Use
from dwebsocket.conf import conf
from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.handshake import check_response
from dwebsocket.protocol.state import Reading, Writing
from dwebsocket.running.event_loop import set_done
from dwebsocket.websocket import check_reason

from .abort import abort
from .calls import Calls
from .connection import AsgiConnection
from .gunicorn_end import watch_worker
from .queueing import EVENT_COST
from .receiving import ReceivingWebSocket
from .runners import RUNNERS

__all__ = ["AsgiWebSocket"]

logger = logging.getLogger("dwebsocket.connection")

#: Seconds that a server which ends waits for the Close that says so, and for the view.
GRACE = 1.0

#: The WebSockets that are open in this process.
websockets: set[AsgiWebSocket] = set()


class AsgiWebSocket(ReceivingWebSocket):
    """Used by the thread of a view, by the calls of a handler, or by coroutines. The task in which
    the server called us waits in ``serve``.
    """

    __slots__ = (
        "_calls",
        "_closing",
        "_done",
        "_gone",
        "start_task",
    )

    _calls: Calls | None  # of a handler
    _closing: asyncio.TimerHandle | None  # our Close must have left by then
    _done: asyncio.Future[None]  # the view or handler has ended
    _gone: asyncio.Future[None]  # the server has nothing more to do with the connection
    start_task: Callable[[], asyncio.Task[None]] | None  # of a coroutine that left the request

    def __init__(self, connection: AsgiConnection) -> None:
        super().__init__(connection)
        self._read_lock = threading.Lock()
        loop = connection.loop
        self._done, self._gone = loop.create_future(), loop.create_future()
        self._calls = self._closing = self.start_task = None

    # The opening handshake

    def accept_connection(self, subprotocol: str | None, headers: Mapping[str, str]) -> None:
        check_response(subprotocol, headers.items())
        encoded = [
            (name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()
        ]
        check_room(len(websockets))
        websockets.add(self)
        self._connection.websocket = self
        self._state.open()
        event = {"type": "websocket.accept", "subprotocol": subprotocol, "headers": encoded}
        self._put((event, EVENT_COST, None))

    def _begin(self) -> None:
        watch_worker(self._connection.loop, websockets)
        super()._begin()

    def fileno(self) -> int:
        if not self.accepted or self._done.done():
            return -1
        self._want_pump()
        return self._inbox.fileno()

    # Who uses it

    def create_runner(self, request: HttpRequest, use: Use, *, accepts: bool) -> Runner:
        return RUNNERS[use](self, self._connection)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._connection.loop

    def begin_task(self) -> asyncio.Task[None]:
        """Begin the coroutine that has left its request. In the loop."""
        assert self.start_task is not None
        task = self._task = self.start_task()
        self.start_task = None
        self._turns.not_reading[self] = self._turns.tick
        return task

    def attach_listener(self, listener: Listener) -> Callable[[], None]:
        """Have threads tell ``listener`` what comes, once the returned function is called."""
        listener.calls_anew = False
        calls = Calls(self, self._inbox, listener)
        self._read_lock = NO_READER
        self._has_listener = True

        def start() -> None:
            self._calls = calls
            calls.wake()

        return start

    def _may_wait(self) -> bool:
        # Not a handler's calls, nor what opens it.
        return not self._has_listener and super()._may_wait()

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        """Have the loop call this after so many seconds. From any thread."""
        self._connection.call(self._connection.loop.call_later, seconds, function)

    def finish(self) -> None:
        self._inbox.close_descriptor()
        self._connection.call(set_done, self._done)

    # The end

    def close_connection(self, code: int, reason: str, timeout: float) -> None:
        note_end(self)
        if self._finish_with(code, reason) and timeout and self._may_wait():
            self._wait_for(lambda: self._state.writing >= Writing.CLOSE_SENT)
        self._state.stop_reading()  # what has come is not wanted, whoever has closed
        self._ready.clear()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        if not self._connection.is_in_loop():
            await super().aclose(code, reason)
            return
        reason = check_reason(reason)
        self._check_accepted()
        note_end(self)
        if self._finish_with(code, reason):
            await self._wait_for_end()

    def stop(self, code: int, reason: str, reading: Reading = Reading.CLOSING) -> None:
        self.end(code, reason)
        if self._stop_reading(reading):
            self._stop_receiving()
            self._tell_of_message()  # or of the end

    def _tell_of_message(self) -> None:
        if self._calls is not None:
            self._calls.wake()

    def lose(self, reason: str) -> None:
        self.stop(CloseCode.ABNORMAL_CLOSURE, reason)
        self._state.lose()
        self._leave()
        abort(self._connection)

    async def _hear_end(self) -> None:
        if self._begun:
            self.start_pump()
            await asyncio.wait([self._gone], timeout=GRACE)

    def _limit_closing(self) -> None:
        if not self._gone.done():
            self._closing = self._connection.loop.call_later(
                conf.CLOSE_TIMEOUT, self.lose, "the Close did not leave in time"
            )

    def _finish_closing(self) -> None:
        self._leave()

    async def _wait_for_end(self) -> None:
        await asyncio.shield(self._gone)

    def _leave(self) -> None:
        """The server has nothing more to do with this connection."""
        websockets.discard(self)
        if self._closing is not None:
            self._closing.cancel()
        self._stop_sending()
        set_done(self._gone)

    def _closed_error(self) -> ConnectionClosed:
        note_end(self)
        return super()._closed_error()

    @property
    def is_over(self) -> bool:
        """Whether no further message comes."""
        return bool(self._state.reading)

    @property
    def has_closed(self) -> bool:
        """Whether we have closed, so that nobody wants what still comes."""
        return self._state.reading == Reading.CLOSED

    # In the task in which the server called us

    async def serve(self) -> None:
        """Wait until the connection has ended, and the view, if it has heard of that."""
        try:
            await self._serve()
        except asyncio.CancelledError:  # the server ends
            self._finish_with(CloseCode.GOING_AWAY, "")
            await asyncio.wait([self._gone], timeout=GRACE)
            await self._discard(GRACE)
            await asyncio.wait([self._done], timeout=GRACE)
            raise

    async def _serve(self) -> None:
        if self.start_task is not None:
            self.begin_task()
        await asyncio.wait([self._gone])  # which a cancellation must not reach
        await self._discard(conf.CLOSE_TIMEOUT)
        if self._task is None:
            await asyncio.wait([self._done], timeout=conf.CLOSE_TIMEOUT)
        else:
            await wait_for_task(self)

    async def abandon(self) -> None:
        """The server's call ends: nothing of ours goes on in its loop."""
        self.stop(CloseCode.GOING_AWAY, "the server ends")
        cancel_task(self)
        for task in (self._pump, self._flush_task):
            if task is not None:
                task.cancel()
        tasks = [task for task in (self._pump, self._task, self._flush_task) if task is not None]
        if tasks:
            await asyncio.wait(tasks)
        self._leave()
