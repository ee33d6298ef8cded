"""The frames of one connection that wait to be written. What waits is bounded, and our Close is the
last of it (RFC 6455, 5.5.1).
"""

from __future__ import annotations

import os
import threading

from dwebsocket.conf import conf
from dwebsocket.protocol.state import ConnectionState

__all__ = ["FRAME_COST", "Outbox"]

#: Counted for each frame that waits, besides its bytes: small ones cost more than these.
FRAME_COST = 48

#: Guard an outbox against the changes of others, for an instant. Many, for where threads are many
#: whoever gets one waits for the interpreter next; not one for each connection, which would cost
#: memory.
locks = [threading.Lock() for _ in range(256)]


class Outbox:
    """What waits, in its order.

    Anybody may append to ``frames`` what is not to be bounded; whoever writes takes it out.

    Attributes:
        frames: what leaves next; what has left in part is the first.
        close: the Close frame behind them, once it is there.
        size: bytes that count against the bound; what is just being written is among them.
    """

    __slots__ = ("_state", "close", "frames", "size")

    def __init__(self, state: ConnectionState) -> None:
        self._state = state
        self.size = 0
        self.close = b""
        self.frames: list[bytes] = []

    @property
    def lock(self) -> threading.Lock:
        """Held for an instant by whoever changes something."""
        return locks[id(self) // 64 % len(locks)]

    def put(self, frame: bytes) -> bool:
        """Let a frame wait, unless a Close does; ``False``: more than
        ``WEBSOCKET_MAX_SEND_BUFFER`` bytes do already.
        """
        with self.lock:
            if self._state.writing:
                return True
            if self.size > conf.MAX_SEND_BUFFER:
                return False
            self.frames.append(frame)
            self.size += len(frame) + FRAME_COST
        return True

    def put_close(self, frame: bytes) -> bool:
        """Let the Close wait behind all frames; ``False`` if one does already, or has left."""
        with self.lock:
            if self._state.writing:
                return False
            self.close = frame
            self._state.queue_close()
        return True

    def take(self) -> bytes:
        """Take the frames out, to write them. They count until ``count``: while the socket is asked
        how much it takes, others may go on to put.
        """
        frames = self.frames
        with self.lock:
            count = len(frames)  # a reader may append a Pong meanwhile
            data = b"".join(frames[:count])
            del frames[:count]
        return data

    def put_back(self, rest: bytes) -> None:
        """What of ``take`` was not written: the next."""
        with self.lock:
            self.frames.insert(0, rest)
        self.count()

    def count(self) -> None:
        """Count what waits anew: what was taken has been written, or put back."""
        with self.lock:
            self.size = self.measure()

    def measure(self) -> int:
        """What the frames that wait count for, in bytes."""
        return sum(map(len, self.frames)) + FRAME_COST * len(self.frames)


def forget_locks() -> None:
    """Make new locks in a forked child, whose parent may have held them."""
    locks[:] = [threading.Lock() for _ in locks]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_locks)
