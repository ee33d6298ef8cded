"""Connections between two processes, of which the second one does not run yet."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from time import monotonic

from dwebsocket.backends.sessions.content import SessionContent
from dwebsocket.machine.passing import Prepared, Refused

from .kinds import JOINED, LATE, OPEN, READY, SENT
from .records import pack_late, pack_moved, unpack_late, unpack_moved

__all__ = ["Batch", "Keeping", "Shelf"]


class Batch:
    """Connections that have come together, and go together.

    Attributes:
        body: what was said of them.
        descriptors: theirs, in the same order.
        late: what has come for them behind that, as it was said; ``None``: nothing was.
    """

    def __init__(self, body: bytes, descriptors: Sequence[int]) -> None:
        self.body = body
        self.descriptors = descriptors
        self.late: bytes | None = None

    def find_unsent(self) -> Iterator[tuple[int, bytes]]:
        """Each descriptor, and what its peer has yet to be sent.

        Raises:
            InvalidRecord: it was said by another version.
        """
        moved = unpack_moved(self.body[1:])
        late = [] if self.late is None else unpack_late(self.late[1:])[0]
        descriptors = iter(self.descriptors)
        for place, one in enumerate(moved):
            content = one.content
            if isinstance(content, SessionContent):  # its messages wait for a client that returns
                if content.carrier is not None:
                    yield next(descriptors), content.carrier.unsent
                continue
            data = content.unsent
            if place < len(late):
                held = [frame.frame for frame in late[place].held]
                data = b"".join((data, late[place].unsent, *held))
            yield next(descriptors), data

    def split(self) -> tuple[Batch, Batch] | None:
        """The two halves, in the place of this; ``None``: it is only one connection.

        Raises:
            InvalidRecord: it was said by another version.
        """
        moved = unpack_moved(self.body[1:])
        late, recent = ([], []) if self.late is None else unpack_late(self.late[1:])
        half = len(moved) // 2
        if not half:
            return None
        place = sum(one.has_descriptor for one in moved[:half])
        first = Batch(OPEN + pack_moved(moved[:half]), self.descriptors[:place])
        second = Batch(OPEN + pack_moved(moved[half:]), self.descriptors[place:])
        if self.late is not None:
            first.late = LATE + pack_late(late[:half], recent)
            second.late = LATE + pack_late(late[half:], recent)
        return first, second

    def close(self) -> None:
        """Give our descriptors back: another process has them."""
        for descriptor in self.descriptors:
            socket.close(descriptor)


class Shelf:
    """The batches that wait. For several threads.

    Attributes:
        changed: when one of them came, or who had given them went, ``time.monotonic()``.
        givers: how many processes may give more.
    """

    def __init__(self) -> None:
        self.changed = monotonic()
        self.givers = 0
        self._lock = threading.Lock()  # held for an instant
        self._batches: list[Batch] = []

    def open(self) -> None:
        """Another process gives."""
        with self._lock:
            self.givers += 1

    def end(self, batches: list[Batch]) -> None:
        """One gives no more, and has not said what has come late for these."""
        self.put(batches)
        with self._lock:
            self.givers -= 1

    def put(self, batches: list[Batch]) -> None:
        """These are complete."""
        with self._lock:
            self._batches += batches
            self.changed = monotonic()

    def take(self) -> Batch | None:
        """Take out the first one."""
        with self._lock:
            return self._batches.pop(0) if self._batches else None

    def put_back(self, batch: Batch) -> None:
        """Nobody has taken it."""
        with self._lock:
            self._batches.insert(0, batch)

    @property
    def is_over(self) -> bool:
        """Whether nothing waits, and nothing comes any more."""
        with self._lock:
            return not (self.givers or self._batches)


class Keeping:
    """Keeps what one process gives, and understands nothing of it. The ``Receiver`` of a
    connection.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._batches: list[Batch] = []  # which are not complete
        shelf.open()

    def receive(self, body: bytes, descriptors: Sequence[int]) -> Prepared:
        """See ``Receiver``."""
        kind = body[:1]
        if kind == OPEN:
            batch = Batch(body, descriptors)
            return Kept(lambda: self._batches.append(batch), batch.close)
        if kind == LATE and not descriptors:
            return Kept(lambda: self._complete(body))
        if kind in (READY, JOINED, SENT) and not descriptors:
            return Kept()
        raise Refused("this process does not understand it: another version, perhaps")

    def _complete(self, late: bytes) -> None:
        batches, self._batches = self._batches, []
        for batch in batches:
            batch.late = late
        self._shelf.put(batches)

    def end(self) -> None:
        """See ``Receiver``."""
        self._shelf.end(self._batches)


def do_nothing() -> None:
    """There is nothing to do."""


class Kept:
    """One offer: see ``Prepared``."""

    answer = b""

    def __init__(
        self, begin: Callable[[], None] = do_nothing, cancel: Callable[[], None] = do_nothing
    ) -> None:
        self.begin = begin
        self.cancel = cancel
