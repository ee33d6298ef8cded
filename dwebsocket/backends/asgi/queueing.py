"""What waits to be sent: whoever sends, from wherever, puts it here, and the loop takes it out.

Everything here may be called from any thread.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable

from dwebsocket.backends.slow import TOO_SLOW, count_slow
from dwebsocket.conf import conf
from dwebsocket.protocol.frames import build_close
from dwebsocket.protocol.prepared import PreparedMessage
from dwebsocket.protocol.state import Reading
from dwebsocket.websocket import BaseWebSocket, BytesLike, as_bytes

from .connection import AsgiConnection, Event

__all__ = ["EVENT_COST", "QueueingWebSocket", "as_event"]

#: Bytes that may wait in the loop before the thread of a view waits, too.
MAX_WAITING = 65536

#: Counted for each event that waits, besides its bytes: small ones cost more than these.
EVENT_COST = 256

#: Seconds in which the server must have taken what is too much, before the reader is a slow one.
PATIENCE = 0.05

#: Times WEBSOCKET_MAX_SEND_BUFFER beyond which there is no patience: a coroutine sends and sends,
#: and lets the loop do nothing.
MAX_BURST = 8

#: An event, if it is not only a place in the queue; its cost; whom to tell that its turn has come.
Item = tuple[Event | None, int, asyncio.Future[None] | None]

#: Guards what waits to be sent, of all connections, for an instant.
queue_lock = threading.Lock()


class QueueingWebSocket(BaseWebSocket):
    """The messages and the Close that wait, in their order."""

    __slots__ = (
        "_connection",
        "_drained",
        "_judgement",
        "_leaving",
        "_outgoing",
        "_scheduled",
        "_waiting",
    )

    _connection: AsgiConnection

    # These change under ``queue_lock``, and so does the state.
    _outgoing: list[Item]
    _waiting: int  # what they cost, in bytes
    _scheduled: bool  # the loop is going to look at it
    _drained: threading.Condition | None  # threads wait here for room
    _judgement: object | None  # more waits than may: the loop will see whether this one lasts

    _leaving: list[Item]  # what the loop has taken out of there, the next one last

    def __init__(self, connection: AsgiConnection) -> None:
        super().__init__()
        self._connection = connection
        self._outgoing, self._leaving = [], []
        self._waiting = 0
        self._scheduled = False
        self._judgement = self._drained = None

    def send(self, message: str | BytesLike) -> None:
        event, size = as_event(message)
        self._check_open()
        if self._may_wait():
            self._put((event, size + EVENT_COST, None))
            if self._waiting > MAX_WAITING:
                self._wait_for_room()
                self._check_open()
        elif not self._put_within_bounds((event, size + EVENT_COST, None)):
            raise self._closed_error()

    def send_ping(self, payload: bytes) -> None:
        self._check_open()  # the server alone sends Pings, and does so by itself

    def post(self, message: PreparedMessage) -> None:
        if message.encoded is None:
            message.encoded = (message.event, message.size + EVENT_COST, None)
        self._put_within_bounds(message.encoded, with_others=True)

    def post_close(self, code: int, reason: str) -> None:
        self._finish_with(code, reason)

    def _may_wait(self) -> bool:
        """Whether the caller may be made to wait until what it sends has left."""
        return not self._connection.is_in_loop()

    def _check_open(self) -> None:
        if self._state.reading or self._state.writing:
            self._check_accepted()
            raise self._closed_error()

    def _put(self, item: Item, *, with_others: bool = False) -> bool:
        """Let it wait for its turn; ``False`` when nothing is sent any more."""
        with queue_lock:
            if self._state.writing:
                return False
            self._append(item)
            if self._scheduled:
                return True
            self._scheduled = True
        if with_others:
            self._connection.flush_with_others()
        else:
            self._connection.call(self.start_flush)
        return True

    def _append(self, item: Item) -> None:
        self._outgoing.append(item)
        self._waiting += item[1]

    def _put_within_bounds(self, item: Item, *, with_others: bool = False) -> bool:
        bound = conf.MAX_SEND_BUFFER
        if self._waiting > bound and not self._state.writing:
            if self._waiting > MAX_BURST * bound:
                self._give_up_slow()
            else:
                self._judge_soon()
        return self._put(item, with_others=with_others)

    # A reader for whom too much waits

    def _judge_soon(self) -> None:
        """Whoever sends quickly leaves the loop no time to pass anything on: the reader is slow
        only if the server does not take it, once it has had the time.
        """
        if not self._connection.is_in_loop():
            self._connection.let_loop_work()
        with queue_lock:
            if self._judgement is not None or self._waiting <= conf.MAX_SEND_BUFFER:
                return
            self._judgement = judgement = object()
        call_later = self._connection.loop.call_later
        self._connection.call(call_later, PATIENCE, self._judge, judgement)

    def _judge(self, judgement: object) -> None:
        if self._judgement is judgement:
            self._give_up_slow()

    def _give_up_slow(self) -> None:
        if self._finish_with(*TOO_SLOW):
            count_slow()

    def _finish_with(self, code: int, reason: str, reading: Reading = Reading.CLOSED) -> bool:
        """Nothing is sent behind this Close; whether it is not the second one.

        Args:
            reading: whether what has come already is still delivered.
        """
        build_close(code, reason)  # raises for what may not be sent
        self.end(code, reason)
        state = self._state
        with queue_lock:
            if state.writing or state.reading:
                return False
            event = {"type": "websocket.close", "code": int(code), "reason": reason}
            self._append((event, EVENT_COST, None))
            state.queue_close()
        if reading == Reading.CLOSED:
            self._ready.clear()
        self.stop(code, reason, reading)
        self._connection.call(self.start_flush)
        self._connection.call(self._limit_closing)
        return True

    def _wait_for_room(self) -> None:
        """Wait, in a thread, until less waits. If the peer does not read the loop gives up."""
        self._wait_for(lambda: self._waiting <= MAX_WAITING or bool(self._state.reading))

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait, in a thread, for what the loop does; it sees to it that this does not last."""
        with queue_lock:
            if self._drained is None:
                self._drained = threading.Condition(queue_lock)
            self._drained.wait_for(condition)

    def _stop_reading(self, reading: Reading) -> bool:
        """Have no further message come; whether some could until now."""
        with queue_lock:
            was_open = not self._state.reading
            self._state.stop_reading(reading)
        return was_open

    # What the loop takes out

    def _take_only(self) -> tuple[Event, int] | None:
        """The message that waits, if there is one and nobody is to be told of it, and its cost."""
        with queue_lock:
            if len(self._outgoing) != 1:
                return None
            event, cost, sent = self._outgoing[0]
            if event is None or event["type"] != "websocket.send" or sent is not None:
                return None
            self._outgoing.clear()
        return event, cost

    def _take_outgoing(self) -> bool:
        with queue_lock:
            self._leaving, self._outgoing = self._outgoing, []
        self._leaving.reverse()
        return bool(self._leaving)

    def _count_sent(self, cost: int) -> None:
        with queue_lock:
            self._waiting -= cost
            if self._judgement is not None and self._waiting <= conf.MAX_SEND_BUFFER:
                self._judgement = None
            if self._drained is not None:
                self._drained.notify_all()

    def _drop_outgoing(self) -> None:
        """Nothing of it can be sent any more."""
        with queue_lock:
            self._state.send_close()
            outgoing = [*self._leaving, *self._outgoing]
            self._leaving, self._outgoing = [], []
            self._waiting = 0
            if self._drained is not None:
                self._drained.notify_all()
        for _, _, sent in outgoing:
            if sent is not None and not sent.done():
                sent.set_result(None)

    # What the loop does

    def start_flush(self) -> None:
        """Send what waits."""
        raise NotImplementedError

    def _limit_closing(self) -> None:
        """Our Close must leave within a while."""
        raise NotImplementedError

    def stop(self, code: int, reason: str, reading: Reading = Reading.CLOSING) -> None:
        """Receive and send no message any more. From any thread; idempotent."""
        raise NotImplementedError


def as_event(message: str | BytesLike) -> tuple[Event, int]:
    """What the server gets for a message, and how many bytes it holds."""
    if isinstance(message, str):
        # Raises here for what is no text: the server would take it for the connection's end.
        size = len(message) if message.isascii() else len(message.encode())
        return {"type": "websocket.send", "text": message}, size
    payload = as_bytes(message)
    return {"type": "websocket.send", "bytes": payload}, len(payload)


def forget_lock() -> None:
    """In a forked child, whose parent may have held it."""
    global queue_lock
    queue_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_lock)
