"""The writing half of a WebSocket over a transport. One thread or greenlet at a time writes: the
holder of ``lock``.

A frame that the socket does not take at once waits in the outbox, whoever it is from. It leaves
when somebody else writes, when whoever held the lock gives it back, or when the socket takes data
again (``WriteWatcher``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Protocol

from dwebsocket.backends.outbox import Outbox
from dwebsocket.backends.slow import TOO_SLOW, count_slow
from dwebsocket.backends.sockets.batch import POLL_INTERVAL, Batch
from dwebsocket.backends.sockets.holding import Expected, Held
from dwebsocket.backends.sockets.parts import Incoming
from dwebsocket.backends.sockets.watching import WriteWatcher
from dwebsocket.conf import conf
from dwebsocket.exceptions import ConnectionClosed
from dwebsocket.protocol.deflate import PerMessageDeflate
from dwebsocket.protocol.frames import build_close
from dwebsocket.protocol.state import ConnectionState, Writing
from dwebsocket.transports import Transport
from dwebsocket.transports.base import Lock, remaining

__all__ = ["Owner", "Writer", "send_deadline"]

CLOSE_QUEUED, CLOSE_SENT, LOST = Writing.CLOSE_QUEUED, Writing.CLOSE_SENT, Writing.LOST

#: Beyond this many bytes that wait for a peer it gets no further Pongs.
MAX_REPLIES = 65536


class Owner(Protocol):
    """The WebSocket."""

    def end(self, code: int, reason: str) -> bool: ...
    def _lose(self, reason: str) -> None: ...
    def _closed_error(self) -> ConnectionClosed: ...


class Writer:
    """Writes frames, and our Close, the last of them.

    Attributes:
        batch: answers that leave together.
        deflate: compresses messages, if that was agreed on.
        deflate_lock: held while it compresses and its frame is written, if it keeps a context.
        driver: what reads for a handler, and is told when the socket takes data again.
        expected: what groups send twice, to this process and to the one that had the connection.
        held: what groups send, while the connection goes to another process, or has come from one:
            nothing leaves then. Belongs to the holder of the lock.
        transport: from the handshake on.
    """

    __slots__ = (
        *("_final", "_incoming", "_owner", "_state", "_watcher", "batch", "deflate"),
        *("deflate_lock", "driver", "expected", "held", "lock", "outbox", "transport"),
    )

    transport: Transport
    deflate_lock: Lock
    lock: Lock

    # Belongs to the holder of the lock.
    _final: bytes  # what still has to leave, our Close at its end

    def __init__(self, owner: Owner, state: ConnectionState, incoming: Incoming) -> None:
        self._owner = owner
        self._state = state
        self._incoming = incoming
        self._watcher: WriteWatcher | None = None  # of a view's, once something had to wait
        self._final = b""
        self.deflate: PerMessageDeflate | None = None
        self.driver: Any = None
        self.batch = Batch(self, state, incoming)
        self.expected: Expected | None = None
        self.held: Held | None = None
        self.outbox = Outbox(state)

    def take(self, transport: Transport) -> None:
        """Write to this transport from now on."""
        self.transport = transport
        self.lock = transport.create_lock()
        if self.deflate is not None and self.deflate.keeps_context:
            self.deflate_lock = transport.create_lock()

    # Writing one's own frame

    def write(self, frame: bytes, payload: bytes = b"") -> None:
        """Write what was held back, then the frame, and wait until all of it has left; for a
        handler, on whose behalf nobody waits, what the socket does not take waits.

        Raises:
            ConnectionClosed: the connection is closed, or breaks.
        """
        if self.driver is not None:
            self.write_nowait(frame, payload)
            return
        now = monotonic()
        if now - self._incoming.last_received > POLL_INTERVAL:
            self._incoming.poll_if_due()
        state = self._state
        if state.reading:
            self._incoming.check_may_answer(now)
        lock = self.lock
        lock.acquire()
        try:
            if state.writing:
                raise self._owner._closed_error()
            if self._watcher is not None:
                self._watcher.stand_back()
            outbox = self.outbox
            if outbox.frames:
                frame = self.take_outgoing() + frame
            if payload:
                sent = self.transport.try_send_parts((frame, payload))
            else:
                sent = self.transport.try_send(frame)
            if sent != len(frame) + len(payload):
                self._send_rest(frame, payload, sent)
            if outbox.size:
                outbox.count()
        except OSError as error:
            self._owner._lose(f"sending failed: {error}")
            raise self._owner._closed_error() from error
        finally:
            lock.release()
            if self.outbox.frames or state.writing:
                self.flush_after_writing()

    def write_nowait(self, frame: bytes, payload: bytes) -> None:
        """``write`` for a handler."""
        driver, state = self.driver, self._state
        if driver.busy and monotonic() - self._incoming.last_received > POLL_INTERVAL:
            self._incoming.poll_if_due()
        if state.reading:
            self._incoming.check_may_answer(monotonic())
        try:
            with self.lock:
                if state.writing:
                    raise self._owner._closed_error()
                if driver.blocked or self.held is not None:
                    self.queue(frame + payload)
                    if state.writing:
                        raise self._owner._closed_error()
                    return
                if self.outbox.frames:
                    frame = self.take_outgoing() + frame
                try:
                    if payload:
                        sent = self.transport.try_send_parts((frame, payload))
                    else:
                        sent = self.transport.try_send(frame)
                except OSError as error:
                    self._owner._lose(f"sending failed: {error}")
                    raise self._owner._closed_error() from error
                if sent != len(frame) + len(payload):
                    self.put_back((frame + payload)[sent:], sent)
                elif self.outbox.size:
                    self.outbox.count()
        finally:
            if self.outbox.frames or state.writing:  # left here meanwhile, above all a Close
                self.flush_after_writing()

    def _send_rest(self, frame: bytes, payload: bytes, sent: int) -> None:
        if sent < len(frame):  # TLS must get the same again, and not less of it
            frame, payload = frame + payload, b""
        rest = memoryview(payload)[sent - len(frame) :] if payload else memoryview(frame)[sent:]
        try:
            self.transport.send(rest, send_deadline())
        except OSError:
            raise
        except BaseException:  # a Timeout of gevent's: nothing can follow half a frame
            self._owner._lose("sending was interrupted in the middle of a frame")
            raise

    # What waits

    def reply(self, frames: list[bytes]) -> None:
        """Send Pongs; a peer that does not take them does not get more of them."""
        if self._state.writing < CLOSE_SENT:
            if self.outbox.measure() < MAX_REPLIES:
                self.outbox.frames.extend(frames)
            self.try_flush()

    def send_nowait(self, frame: bytes) -> None:
        """Let a frame wait behind all others, and write what can be written. Never waits."""
        self.queue(frame)
        if not self.is_blocked:
            self.try_flush()  # if somebody else writes now, he looks afterwards

    def queue(self, frame: bytes) -> None:
        """Let a frame wait, but not without bound: beyond it the Close is the last."""
        if not self.outbox.put(frame) and self.queue_close(*TOO_SLOW):
            count_slow()

    def queue_close(self, code: int, reason: str) -> bool:
        """``decide_close``, watching that the Close leaves in time."""
        if not self.decide_close(code, reason):
            return False
        self._get_watcher().close(conf.CLOSE_TIMEOUT)
        return True

    def decide_close(self, code: int, reason: str) -> bool:
        """Let this Close be the last frame that leaves: the connection is closed from here on.

        Returns:
            ``False`` when another one is.
        """
        frame = build_close(code, reason)
        self._owner.end(code, reason)
        return self.outbox.put_close(frame)

    def take_outgoing(self) -> bytes:
        """Take out what waits. Called with the lock held."""
        batch = self.batch
        batch.is_open = False
        batch.size = 0
        return self.outbox.take()

    def put_back(self, rest: bytes, sent: int) -> None:
        """The socket has taken so many bytes and is full, or has taken all. Called with the lock
        held.
        """
        if self._state.writing >= CLOSE_SENT:
            self._final = rest
        elif rest:
            self.outbox.put_back(rest)
        elif self.outbox.size:
            self.outbox.count()
        watcher = self._get_watcher() if rest else self.watcher
        if watcher is not None:
            watcher.tell_sent(sent, bool(rest))

    def try_flush(self) -> bool:
        """Write what waits as far as that goes without waiting; whether all has left."""
        while self.lock.acquire(False):
            try:
                self._flush()
            except OSError as error:
                self._owner._lose(f"sending failed: {error}")
            finally:
                self.lock.release()
            writing = self._state.writing
            if writing == LOST:
                return True
            if self.is_blocked or self.held is not None:
                return False
            if writing == CLOSE_SENT or not (self.outbox.frames or writing):
                return True
        return False

    @contextmanager
    def locked(self) -> Iterator[None]:
        """While nobody writes. Who tried to do so meanwhile has left his frames to us."""
        with self.lock:
            yield
        self.flush_after_writing()

    def flush_after_writing(self) -> None:
        """Write what others have left here while the caller held the lock."""
        if (self.outbox.frames or self._state.writing) and not self.is_blocked:
            self.try_flush()

    def _flush(self) -> None:
        if self.held is not None:
            return
        state = self._state
        if state.writing == CLOSE_QUEUED:
            self._final = self.take_outgoing() + self.outbox.close
            state.send_close()
        data = self._final if state.writing else self.take_outgoing()
        if state.writing != LOST and data:
            sent = self.transport.try_send(data)
            self.put_back(data[sent:], sent)

    # Who is told when the socket takes data again

    @property
    def watcher(self) -> WriteWatcher | None:
        """The driver of a handler's connection; of a view's, one made for it."""
        return self.driver or self._watcher

    def _get_watcher(self) -> WriteWatcher:
        with self.outbox.lock:  # one thread has the other lock, another one closes the group
            watcher = self.watcher
            if watcher is None:
                watcher = self._watcher = WriteWatcher(self)
        return watcher

    @property
    def is_blocked(self) -> bool:
        """Whether what waits does so until the socket takes data again."""
        watcher = self.watcher
        return watcher is not None and watcher.blocked

    @property
    def is_held(self) -> bool:
        """Whether nothing may leave, for the connection is on its way to another process."""
        return self.held is not None

    @property
    def is_lost(self) -> bool:
        """Whether the connection broke, so that nothing can be written."""
        return self._state.writing == LOST

    def lose(self, reason: str) -> None:
        """Mark the connection as lost: the peer has had its time."""
        self._owner._lose(reason)

    def start_driver(self, driver: Any) -> None:
        """Let the loop call ``driver``, while nobody writes."""
        with self.locked():
            driver.watch()

    # The end

    def close(self, frame: bytes, deadline: float | None) -> None:
        """Write our Close, once, behind what waits already; the first one counts.

        Args:
            deadline: ``time.monotonic()`` value; ``None``: as far as that goes without waiting.
        """
        if self._state.writing >= CLOSE_SENT:
            return
        if self.driver is not None:
            self._close_nowait(frame)
            return
        if deadline is None:
            acquired = self.lock.acquire(False)
        else:
            acquired = self.lock.acquire(timeout=remaining(deadline))
        if not acquired:
            return
        try:
            if self._state.writing < CLOSE_SENT:
                if self._watcher is not None:
                    self._watcher.stand_back()
                data = self.take_outgoing() + (self.outbox.close or frame)
                self.transport.send(data, monotonic() if deadline is None else deadline)
        except OSError as error:
            self._owner._lose(f"closing failed: {error}")
        finally:
            self._state.send_close()
            self.lock.release()

    def _close_nowait(self, frame: bytes) -> None:
        with self.lock:
            if self._state.writing >= CLOSE_SENT:
                return
            self._final = self.take_outgoing() + (self.outbox.close or frame)
            self._state.send_close()
        self.try_flush()

    def stop(self) -> None:
        """Wait on the descriptor no more: the connection has ended."""
        with self.lock:
            self._drop()
            if self._watcher is not None:
                self._watcher.stop()
                self._watcher = None

    def close_transport(self) -> None:
        """Give the descriptor back."""
        with self.lock:
            self._state.lose()
            self.transport.shutdown()
            self.transport.close()
        self._drop()
        self.driver = None

    def _drop(self) -> None:
        self._final = b""
        self.outbox.frames.clear()


def send_deadline() -> float | None:
    """When a message that is written now must have left, ``time.monotonic()``."""
    timeout = conf.SEND_TIMEOUT
    return None if timeout is None else monotonic() + timeout
