"""The streams between this process and another one. What is sent arrives in order and without a
gap; if that cannot be, all streams end, on both sides.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from dwebsocket.supervisor import log_failure

from .messages import Item, RelayMessage

__all__ = ["BEAT", "Link", "Stream", "StreamUser"]

#: Bytes that may wait to be sent; and that are sent at a time.
MAX_WAITING, BATCH = 64 << 20, 1 << 20

#: Seconds that the other process may be silent for: at first, and once it has been heard.
FIRST_PATIENCE, PATIENCE = 1.5, 6.0

#: Seconds between two signs of life.
BEAT = 1.0

#: Seconds without a stream after which what is sent begins a link anew, and after which it is
#: forgotten: nobody forgets what the other side still goes on with.
STALE, FORGOTTEN = 60.0, 300.0

#: What an item is counted for besides its texts.
ITEM_COST = 100

#: The kinds of the first item of a stream, and of one that says nothing.
OPEN, ALIVE = "open", "alive"


class StreamUser(Protocol):
    """What uses a stream. Nothing here waits, and what it raises ends the stream."""

    def receive(self, item: Item) -> None:
        """This has come: a kind, and what belongs to it."""

    def break_off(self) -> None:
        """The stream has ended before its time. Idempotent."""


class Stream:
    """A way for items, in both directions, until one side closes it.

    Args:
        is_ours: whether this process has opened it.
    """

    __slots__ = ("_is_ours", "_link", "_number", "user")

    user: StreamUser | None

    def __init__(self, link: Link, number: int, *, is_ours: bool) -> None:
        self._link = link
        self._number = number
        self._is_ours = is_ours
        self.user = None

    @property
    def key(self) -> tuple[bool, int]:
        """What names it here."""
        return self._is_ours, self._number

    def open(self, *item: object, size: int = 0) -> None:
        """Send the first item."""
        self.send(OPEN, *item, size=size)

    def send(self, *item: object, size: int = 0) -> None:
        """Send an item, a kind and what belongs to it. From any thread; never waits, and a stream
        that has ended sends nothing.

        Args:
            size: about how many bytes it has.
        """
        self._link.send(self, [self._is_ours, self._number, *item], size)

    def close(self) -> None:
        """Nothing more is sent or wanted."""
        self._link.drop(self)


class Link:
    """To one process.

    Args:
        own: the name of this process.
        peer: the name of the other one.
        send_soon: has a thread call ``take``, and send what that returns.
        accept: called with each stream that the other side opens, and its first item; what uses it.

    Attributes:
        epoch: names what this side sends.
        heard: when the other side was last heard, ``time.monotonic()``.
        has_failed: it is to be ended, by who looks at its time.
        is_broken: nothing is sent any more.
    """

    def __init__(
        self,
        own: str,
        peer: str,
        send_soon: Callable[[Link], None],
        accept: Callable[[Stream, Item], StreamUser],
    ) -> None:
        self.epoch = secrets.token_hex(8)
        self.peer = peer
        self.has_failed = self.is_broken = False
        self.heard = self._sent = monotonic()
        self._own = own
        self._send_soon = send_soon
        self._accept = accept
        self._lock = threading.Lock()  # held for an instant
        self._streams: dict[tuple[bool, int], Stream] = {}
        self._opened = self._number = 0
        self._waiting: list[tuple[Item, int]] = []
        self._size = 0
        self._known: str | None = None  # the epoch of the other side
        self._last = 0  # of its messages

    # Streams

    def open(self, user: StreamUser) -> Stream | None:
        """A new stream; ``None``: the link is broken."""
        with self._lock:
            if self.is_broken:
                return None
            self._opened += 1
            if not self._streams:
                self.heard = monotonic()  # nobody has spoken meanwhile
            stream = Stream(self, self._opened, is_ours=True)
            stream.user = user
            self._streams[stream.key] = stream
            return stream

    def drop(self, stream: Stream) -> None:
        """See ``Stream.close``."""
        with self._lock:
            self._streams.pop(stream.key, None)

    @property
    def is_idle(self) -> bool:
        """Whether there is no stream, and nothing to be sent."""
        return not (self._streams or self._waiting)

    @property
    def is_stale(self) -> bool:
        """Whether the other side may have forgotten it."""
        return self.is_idle and monotonic() > self._sent + STALE

    # What goes

    def send(self, stream: Stream, item: Item, size: int) -> None:
        """See ``Stream.send``."""
        with self._lock:
            if self._streams.get(stream.key) is not stream:
                return
            if self._size > MAX_WAITING:
                self.has_failed = True  # the caller may hold what its streams need for their end
                return
            self._put(item, size)
        self._send_soon(self)

    def _put(self, item: Item, size: int) -> None:
        self._waiting.append((item, size + ITEM_COST))
        self._size += size + ITEM_COST

    def take(self) -> RelayMessage | None:
        """What is to be sent next. Called by one thread at a time."""
        with self._lock:
            if not self._waiting or self.is_broken or self.has_failed:
                return None
            items, size = list[Item](), 0
            while self._waiting and size < BATCH:
                item, cost = self._waiting.pop(0)
                items.append(item)
                size += cost
            self._size -= size
            self._number += 1
            self._sent = monotonic()
            return RelayMessage(self._own, self.epoch, self._known, self._number, items)

    # What comes

    def receive(self, message: RelayMessage) -> bool:
        """The other side has sent this. ``False``: this link does not go on with it."""
        with self._lock:
            if message.epoch != self._known:
                is_answer = message.answers == self.epoch
                if message.number != 1 or not (is_answer or self._known is None):
                    return False
                lost = self._forget_others()
                self._known, self._last = message.epoch, 0
            else:
                lost = []
            if message.number != self._last + 1:
                return False
            self._last = message.number
            self.heard = monotonic()
        break_off_all(lost)
        for item in message.items:
            self._hand_on(item)
        return True

    def _forget_others(self) -> list[Stream]:
        """Take out what the other side has opened in an earlier epoch."""
        return [self._streams.pop(key) for key in list(self._streams) if not key[0]]

    def _hand_on(self, item: Item) -> None:
        opened_there, number, *rest = item
        if rest[0] == ALIVE:
            return
        key = not opened_there, number
        with self._lock:
            stream = self._streams.get(key)
            is_new = stream is None and opened_there and rest[0] == OPEN and not self.is_broken
            if is_new:
                stream = self._streams[key] = Stream(self, number, is_ours=False)
        if stream is None:
            return
        try:
            if is_new:
                stream.user = self._accept(stream, rest[1:])
                if self.is_broken:  # meanwhile
                    stream.user.break_off()
            elif stream.user is not None:
                stream.user.receive(rest)
        except Exception:
            log_failure("What another process says of a WebSocket cannot be understood")
            stream.close()
            break_off_all([stream])

    def knows(self, epoch: str) -> bool:
        """Whether this is what the other side sends now."""
        with self._lock:
            return epoch == self._known

    # Its time, and the end

    def tick(self, now: float) -> float:
        """Say that this side lives, if it is time; for how many seconds the other one has not been
        heard, while that is expected.
        """
        with self._lock:
            if not self._streams:
                return 0.0
            beats = now > self._sent + BEAT and not self._waiting
            if beats:
                self._put([True, 0, ALIVE], 0)
        if beats:
            self._send_soon(self)
        return now - self.heard

    @property
    def patience(self) -> float:
        """Seconds for which the other side may be silent."""
        return FIRST_PATIENCE if self._known is None else PATIENCE

    def is_forgotten(self, now: float) -> bool:
        """Whether nobody has needed it for long."""
        return self.is_idle and now > max(self.heard, self._sent) + FORGOTTEN

    def end(self) -> None:
        """All streams end before their time."""
        with self._lock:
            self.is_broken = True
            lost = list(self._streams.values())
            self._streams.clear()
            self._waiting.clear()
            self._size = 0
        break_off_all(lost)


def break_off_all(streams: list[Stream]) -> None:
    for stream in streams:
        try:
            if stream.user is not None:
                stream.user.break_off()
        except Exception:
            log_failure("A WebSocket that another process carries cannot be ended")
