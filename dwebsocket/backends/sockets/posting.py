"""Sending without ever waiting: what a group sends, and what waits until the socket takes it.

Frames that the socket does not take at once wait in ``_outgoing``, whoever they are from, and leave
in that order: when somebody else writes, when whoever held the write lock gives it back, or when
the socket takes data again (``Flusher``). What waits is bounded: beyond it the Close is the last.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from dwebsocket.backends.slow import TOO_SLOW, count_slow
from dwebsocket.backends.sockets.flusher import Flusher
from dwebsocket.conf import conf
from dwebsocket.protocol.deflate import PerMessageDeflate
from dwebsocket.protocol.frames import build_close
from dwebsocket.protocol.prepared import PreparedMessage
from dwebsocket.protocol.state import Writing
from dwebsocket.transports import Transport
from dwebsocket.transports.base import Lock
from dwebsocket.websocket import BaseWebSocket

if TYPE_CHECKING:
    from dwebsocket.backends.sockets.driver import Driver

__all__ = ["MIN_COMPRESSED", "PostingWebSocket", "weigh"]

CLOSE_QUEUED, CLOSE_SENT, LOST = Writing.CLOSE_QUEUED, Writing.CLOSE_SENT, Writing.LOST

#: Below this, compressing costs more than it saves.
MIN_COMPRESSED = 1024

#: Counted for each frame that waits, besides its bytes: small ones cost more than these.
FRAME_COST = 48

#: Guard _outgoing and _queued of a connection against each other's change, for an instant. Many,
#: for where threads are many whoever gets one waits for the interpreter next; not one for each
#: connection, which would cost memory.
queue_locks = [threading.Lock() for _ in range(256)]


def weigh(frames: list[bytes]) -> int:
    """What frames that wait count for, in bytes."""
    return sum(map(len, frames)) + FRAME_COST * len(frames)


class PostingWebSocket(BaseWebSocket):
    """What may be written by somebody who does not wait."""

    __slots__ = (
        "_deflate",
        "_deflate_lock",
        "_driver",
        "_final",
        "_flusher",
        "_gathered",
        "_last",
        "_outgoing",
        "_queued",
        "_write_lock",
        "transport",
    )

    transport: Transport
    _deflate: PerMessageDeflate | None
    _deflate_lock: Lock  # if that keeps a context
    _driver: Driver | None  # of a handler's connection, which nobody waits for
    _flusher: Flusher | None  # of a view's, once something had to wait
    _write_lock: Lock

    # These belong to the holder of _write_lock; anybody may append to _outgoing.
    _outgoing: list[bytes]  # frames that leave before anything else; what left in part is the first
    _gathered: int  # bytes of the answers held back there
    _final: bytes  # what still has to leave, our Close at its end

    # These change under ``queue_lock``, and so does the state of writing until CLOSE_QUEUED.
    _queued: int  # what counts against the bound: _outgoing, and what is just being written
    _last: bytes  # the Close behind what waits in _outgoing, where nothing is added any more

    def __init__(self) -> None:
        super().__init__()
        self._driver = self._flusher = None
        self._outgoing = []
        self._final = self._last = b""
        self._gathered = self._queued = 0

    # What a group does

    def post(self, message: PreparedMessage) -> None:
        frame = message.frame
        if self._deflate is not None and message.size >= MIN_COMPRESSED:
            self._post_compressed(self._deflate, message)
            return
        # Usually the socket is free and takes it: a broadcast is as fast as these lines.
        lock = self._write_lock
        if not lock.acquire(False):
            self._post(frame)
            return
        try:
            if self._outgoing or self._state.writing:
                self._queue(frame)
            else:
                sent = self.transport.try_send(frame)
                if sent != len(frame):
                    self._put_back(frame[sent:], sent)
        except OSError as error:
            self._lose(f"sending failed: {error}")
        finally:
            lock.release()
        if self._outgoing or self._state.writing == CLOSE_QUEUED:
            self._flush_after_writing()

    def post_close(self, code: int, reason: str) -> None:
        if self._state.reading or self._state.writing >= CLOSE_SENT:
            return
        self._finish_with(code, reason)
        self.try_flush()

    def _post_compressed(self, deflate: PerMessageDeflate, message: PreparedMessage) -> None:
        if not deflate.keeps_context:
            self._post(message.compress(deflate))
        elif self._deflate_lock.acquire(False):
            try:  # compressed in the order in which it is sent
                self._post(message.compress(deflate))
            finally:
                self._deflate_lock.release()
        else:
            self._post(message.frame)  # not compressed it has no place in that order

    def _post(self, frame: bytes) -> None:
        self._queue(frame)
        if not self._is_blocked:
            self.try_flush()  # if somebody else writes now, he looks afterwards

    # What waits

    @property
    def _queue_lock(self) -> threading.Lock:
        return queue_locks[id(self) // 64 % len(queue_locks)]

    @property
    def _pacer(self) -> Flusher | None:
        """Who is told when the socket takes data again."""
        return self._driver or self._flusher

    def _get_pacer(self) -> Flusher:
        """The same, made if there is none yet."""
        with self._queue_lock:  # one thread has the write lock, another one closes the group
            pacer = self._pacer
            if pacer is None:
                pacer = self._flusher = Flusher(self)
        return pacer

    def _queue(self, frame: bytes) -> None:
        """Let a frame wait, but not without bound."""
        with self._queue_lock:
            if self._state.writing:
                return
            if self._queued <= conf.MAX_SEND_BUFFER:
                self._outgoing.append(frame)
                self._queued += len(frame) + FRAME_COST
                return
        if self._finish_with(*TOO_SLOW):
            count_slow()

    def _finish_with(self, code: int, reason: str) -> bool:
        """Nothing waits behind this Close; whether it is not the second one."""
        if not self._decide_close(code, reason):
            return False
        self._get_pacer().close(conf.CLOSE_TIMEOUT)
        return True

    def _decide_close(self, code: int, reason: str) -> bool:
        """Let this Close be the last frame that leaves, whenever that is: the connection is closed
        from here on. False when that was decided before.
        """
        frame = build_close(code, reason)
        self.end(code, reason)
        with self._queue_lock:
            if self._state.writing:
                return False
            self._last = frame
            self._state.queue_close()
        return True

    def _take_outgoing(self) -> bytes:
        """What waits. It counts for ``_queued`` until ``_count_queued``: while the socket is asked
        how much of it it takes, others may go on to queue.
        """
        frames = self._outgoing
        self._gathered = 0
        with self._queue_lock:
            count = len(frames)  # a reader may append a Pong meanwhile
            data = b"".join(frames[:count])
            del frames[:count]
        return data

    def _count_queued(self) -> None:
        """What was taken has left, or is back."""
        with self._queue_lock:
            self._queued = weigh(self._outgoing)

    def _put_back(self, rest: bytes, sent: int) -> None:
        """The socket has taken so many bytes and is full, or has taken all."""
        if self._state.writing >= CLOSE_SENT:
            self._final = rest
        else:
            if rest:
                with self._queue_lock:
                    self._outgoing.insert(0, rest)
            if rest or self._queued:
                self._count_queued()
        pacer = self._get_pacer() if rest else self._pacer
        if pacer is not None:
            pacer.tell_sent(sent, bool(rest))

    def try_flush(self) -> bool:
        """Send what is held back as far as that goes without waiting; whether all has left."""
        while self._write_lock.acquire(False):
            try:
                self._flush_held()
            except OSError as error:
                self._lose(f"sending failed: {error}")
            finally:
                self._write_lock.release()
            writing = self._state.writing
            if writing == LOST:
                return True
            if self._is_blocked:
                return False
            if writing == CLOSE_SENT or not (self._outgoing or writing):
                return True
        return False

    @property
    def _is_blocked(self) -> bool:
        pacer = self._pacer
        return pacer is not None and pacer.blocked

    def _flush_after_writing(self) -> None:
        """Whoever has held the write lock looks at what others have left here meanwhile."""
        waits = self._outgoing or self._state.writing == CLOSE_QUEUED
        if waits and not self._is_blocked:
            self.try_flush()

    def _flush_held(self) -> None:
        state = self._state
        if state.writing == CLOSE_QUEUED:
            self._final = self._take_outgoing() + self._last
            state.send_close()
        data = self._final if state.writing else self._take_outgoing()
        if state.writing != LOST and data:
            sent = self.transport.try_send(data)
            self._put_back(data[sent:], sent)

    def _lose(self, reason: str) -> None:
        """The connection broke."""
        raise NotImplementedError

    @property
    def is_lost(self) -> bool:
        """Whether the connection broke, so that nothing can be sent."""
        return self._state.writing == LOST

    def check_deadline(self, now: float) -> bool:
        """Whether nothing more has to be done at a certain time."""
        pacer = self._pacer
        return pacer is None or pacer.check_deadline(now)

    def give_up(self, reason: str) -> None:
        """The peer has had its time."""
        self._lose(reason)

    # Being watched for writing

    def stand_back(self) -> None:
        """The caller holds the write lock and waits by himself."""
        if self._flusher is not None:
            self._flusher.stand_back()

    def stop_flushing(self) -> None:
        """The connection has ended: nobody may wait on its descriptor."""
        with self._write_lock:
            self._final = b""
            self._outgoing.clear()
            if self._flusher is not None:
                self._flusher.stop()
                self._flusher = None

    def start_watching(self, driver: Driver) -> None:
        """Let the loop call, while nobody writes."""
        with self._write_lock:
            driver.watch()
        self._flush_after_writing()


def forget_locks() -> None:
    """In a forked child, whose parent may have held them."""
    queue_locks[:] = [threading.Lock() for _ in queue_locks]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_locks)
