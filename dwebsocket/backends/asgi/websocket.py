"""A WebSocket of an ASGI server: its beginning, who uses it, and its end."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from dwebsocket.backends.driven import READ_LOCK, Listener, driven_class
from dwebsocket.backends.room import check_room
from dwebsocket.conf import conf
from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.handshake import check_response
from dwebsocket.protocol.state import Reading, Writing
from dwebsocket.running.context import RequestContext
from dwebsocket.running.event_loop import set_done
from dwebsocket.websocket import check_reason

from .calls import Calls
from .connection import AsgiConnection
from .cutting import cut
from .gunicorn_end import watch_worker
from .queueing import EVENT_COST
from .receiving import ReceivingWebSocket

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
        "_accepts",
        "_calls",
        "_closing",
        "_decided",
        "_done",
        "_gone",
        "_start_view",
    )

    has_loop = True

    _accepts: bool  # the view does that
    _calls: Calls | None  # of a handler
    _closing: asyncio.TimerHandle | None  # our Close must have left by then
    _decided: Callable[[], None] | None  # tells the request, which waits, that it is accepted
    _done: asyncio.Future[None]  # the view or handler has ended
    _gone: asyncio.Future[None]  # the server has nothing more to do with the connection
    _start_view: Callable[[], asyncio.Task[None]] | None  # of a coroutine that left the request

    def __init__(self, connection: AsgiConnection) -> None:
        super().__init__(connection)
        self._read_lock = threading.Lock()
        loop = connection.loop
        self._done, self._gone = loop.create_future(), loop.create_future()
        self._calls = self._closing = self._decided = self._start_view = None
        self._accepts = False

    # The opening handshake

    def accept(
        self, subprotocol: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().accept(subprotocol, headers)
        if self._accepts:
            self.leave_server()
        if self._decided is not None:
            self._decided()

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

    # A view that goes on when the handshake is answered

    def check_view_room(self, accepts: bool) -> None:
        self._connection.answering.keep_thread()
        self._accepts = not accepts

    def leave_server(self) -> None:
        if self.accepted:
            self._connection.call(self.start_pump)
            self._connection.answering.answer([])

    def leave_for_loop(self, run: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        context, loop = RequestContext(), self._connection.loop
        self._start_view = lambda: context.enter().run(loop.create_task, run())
        return True

    async def aleave_server(self, run: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        self.leave_for_loop(run)
        if self.accepted:
            return True
        view = self._begin_view()
        decided = self._connection.loop.create_future()
        self._decided = lambda: self._connection.call(set_done, decided)
        try:
            await asyncio.wait([view, decided], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            view.cancel()
            raise
        self._decided = None
        return True

    def run_coroutine(self, run: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        return asyncio.run_coroutine_threadsafe(run(), self._connection.loop).result()

    def _begin_view(self) -> asyncio.Task[None]:
        assert self._start_view is not None
        view = self._view = self._start_view()
        self._start_view = None
        self._lookout.busy[self] = self._lookout.tick
        return view

    def drive(self, listener: Listener) -> Callable[[], None] | None:
        if not self.accepted:
            return None
        listener.calls_anew = False
        calls = Calls(self, self._inbox, listener)
        self.__class__ = driven_class(type(self))
        self._read_lock = READ_LOCK
        self._connection.call(self.start_pump)  # while it opens, too

        def start() -> None:
            self._calls = calls
            calls.wake()

        return start

    def _may_wait(self) -> bool:
        # Not a handler's calls, nor what opens it.
        return self._read_lock is not READ_LOCK and super()._may_wait()

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        """Have the loop call this after so many seconds. From any thread."""
        self._connection.call(self._connection.loop.call_later, seconds, function)

    def finish(self) -> None:
        self._inbox.close_descriptor()
        self._connection.call(set_done, self._done)

    # The end

    def close_connection(self, code: int, reason: str, timeout: float) -> None:
        self._tell_view()
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
        self._tell_view()
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
        cut(self._connection)

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
        self._tell_view()
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
        if self._start_view is not None:
            self._begin_view()
        await asyncio.wait([self._gone])  # which a cancellation must not reach
        await self._discard(conf.CLOSE_TIMEOUT)
        if self._view is None:
            await asyncio.wait([self._done], timeout=conf.CLOSE_TIMEOUT)
            return
        await asyncio.wait([self._view], timeout=conf.CLOSE_TIMEOUT)
        self._cancel_view()
        await asyncio.wait([self._view])

    def _cancel_view(self) -> None:
        """Once, and not if it has heard of the end: what it does then has its time."""
        if self._view is not None and not self._noticed:
            self._noticed = True
            self._view.cancel()

    async def abandon(self) -> None:
        """The server's call ends: nothing of ours goes on in its loop."""
        self.stop(CloseCode.GOING_AWAY, "the server ends")
        self._cancel_view()
        for task in (self._pump, self._flush_task):
            if task is not None:
                task.cancel()
        tasks = [task for task in (self._pump, self._view, self._flush_task) if task is not None]
        if tasks:
            await asyncio.wait(tasks)
        self._leave()
