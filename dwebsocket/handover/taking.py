"""The process that goes on: it makes the connections of another one its own."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence

from dwebsocket.backends.gunicorn_worker import find_stop_signal
from dwebsocket.backends.room import NoRoom, check_descriptors, check_room
from dwebsocket.backends.sessions import registry
from dwebsocket.backends.sessions.arriving import SessionArrival
from dwebsocket.backends.sockets import ending, sweeper
from dwebsocket.backends.sockets.arriving import Arrival as SocketArrival
from dwebsocket.backends.sockets.departing import Content, Late
from dwebsocket.backends.sockets.holding import Known
from dwebsocket.groups import settle_own
from dwebsocket.machine.passing import Prepared, Refused
from dwebsocket.supervisor import log_failure
from dwebsocket.transports.detach import ABOVE_SELECT, duplicate

from .kinds import JOINED, LATE, OPEN, READY, SENT
from .records import InvalidRecord, Moved, unpack_late, unpack_moved
from .requests import Arrival, load_site, resume

__all__ = ["Taking"]

#: Seconds for which what is being sent to groups is waited for.
SENDING_TIMEOUT = 0.5

CANNOT_GO_ON = "A WebSocket that another process has handed over cannot go on"


class Taking:
    """Takes what one process gives: its connections, a question whether they have joined their
    groups, and what has come for them there meanwhile. The ``Receiver`` of a connection.
    """

    def __init__(self) -> None:
        self._arrivals: list[Arrival | None] = []  # which have not begun
        self._recent: dict[str, int] = {}  # what groups have handed out there, numbered

    def receive(self, body: bytes, descriptors: Sequence[int]) -> Prepared:
        """See ``Receiver``."""
        try:
            if body[:1] == READY and not descriptors:
                load_site()
                check_descriptors()
                return Answered()
            if body[:1] == OPEN:
                return self._open(unpack_moved(body[1:]), descriptors)
            if body[:1] in (JOINED, SENT) and not descriptors:
                settle_own(SENDING_TIMEOUT)
                return Answered()
            if body[:1] == LATE and not descriptors:
                return Begin(self, *unpack_late(body[1:]))
        except InvalidRecord as error:
            raise Refused(f"this process cannot read it: {error}") from error
        except NoRoom as error:
            raise Refused(str(error)) from error
        raise Refused("this process does not understand it: another version, perhaps")

    def _open(self, moved: list[Moved], descriptors: Sequence[int]) -> Prepared:
        if ending.has_begun():
            raise Refused("this process ends, too")
        wanted = sum(one.has_descriptor for one in moved)
        if wanted != len(descriptors):
            raise Refused(f"{len(descriptors)} descriptors for {wanted} connections")
        coming.reserve(len(moved))
        return Opened(self, moved, descriptors)

    def add(self, arrival: Arrival | None) -> None:
        """The next one waits for what has come for it in the other process; ``None``: it does not,
        for it is closed.
        """
        self._arrivals.append(arrival)

    def begin(self, late: Sequence[Late | None], recent: Sequence[str] = ()) -> None:
        """They go on.

        Args:
            recent: what groups have handed out in the other process, and was not told before.
        """
        arrivals, self._arrivals = self._arrivals, []
        for one in recent:
            self._recent[one] = len(self._recent)
        before = Known(self._recent, len(self._recent))
        for place, arrival in enumerate(arrivals):
            if arrival is None:
                continue
            try:
                arrival.begin(late[place] if place < len(late) else None, before)
            except Exception:  # it has ended
                log_failure(CANNOT_GO_ON)

    def end(self) -> None:
        """The other process has gone: what it has to say does not come any more."""
        self.begin(())


class Answered:
    """The answer to a question: it stands behind all that came before."""

    answer = b""

    def begin(self) -> None:
        """All is said."""

    def cancel(self) -> None:
        """All is said."""


class Begin:
    """What has come for the connections in the other process."""

    answer = b""

    def __init__(self, taking: Taking, late: list[Late], recent: list[str]) -> None:
        self._taking = taking
        self._late = late
        self._recent = recent

    def begin(self) -> None:
        self._taking.begin(self._late, self._recent)

    def cancel(self) -> None:
        """The end of the connection is noticed by itself."""


class Opened:
    """Connections that become ours when the other process lets go of them."""

    answer = b""

    def __init__(self, taking: Taking, moved: list[Moved], descriptors: Sequence[int]) -> None:
        self._taking = taking
        self._moved = moved
        self._descriptors = descriptors

    def begin(self) -> None:
        """Have their handlers here, which join their groups."""
        descriptors = iter(self._descriptors)
        try:
            while self._moved:
                moved = self._moved.pop(0)
                coming.forget(1)  # it is counted with others now
                arrival = try_to_create(moved, descriptors)
                self._taking.add(arrival)  # first: whatever happens, it goes on or is closed
                if arrival is not None:
                    resume(arrival, moved)
        finally:
            self._drop(descriptors)

    def cancel(self) -> None:
        self._drop(self._descriptors)

    def _drop(self, descriptors: Iterable[int]) -> None:
        coming.forget(len(self._moved))
        for descriptor in descriptors:
            socket.close(descriptor)


class Coming:
    """How many are about to be ours: several processes may give at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held for an instant
        self._count = 0

    def reserve(self, count: int) -> None:
        """Have room for so many.

        Raises:
            NoRoom: there is none.
        """
        with self._lock:
            check_room(max(sweeper.count(), registry.count()) + self._count + count - 1)
            self._count += count

    def forget(self, count: int) -> None:
        """So many have come, or do not."""
        with self._lock:
            self._count -= count


coming = Coming()


def start_anew() -> None:
    """In a forked child they are the parent's."""
    global coming
    coming = Coming()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=start_anew)


def try_to_create(moved: Moved, descriptors: Iterator[int]) -> Arrival | None:
    """``create_arrival``; ``None``: it cannot be. Never raises."""
    try:
        return create_arrival(moved, descriptors)
    except Exception:
        log_failure(CANNOT_GO_ON)
        return None


def create_arrival(moved: Moved, descriptors: Iterator[int]) -> Arrival:
    """What this process has of it; its descriptor is the next one, if it has one."""
    content, state = moved.content, moved.state
    if isinstance(content, Content):
        return SocketArrival(take_socket(descriptors), content, state, find_stop_signal)
    carrier = None
    if content.carrier is not None:
        carrier = SocketArrival(take_socket(descriptors), content.carrier, {}, find_stop_signal)
    return SessionArrival(content, state, carrier)


def take_socket(descriptors: Iterator[int]) -> socket.socket:
    descriptor = move_up(next(descriptors))
    try:
        return socket.socket(fileno=descriptor)
    except BaseException:
        socket.close(descriptor)
        raise


def move_up(descriptor: int) -> int:
    """The same open file under a number that others need less, which ``select()`` can use."""
    try:
        found = duplicate(descriptor, ABOVE_SELECT)
    except OSError:  # there is no other
        return descriptor
    socket.close(descriptor)
    return found
