"""The process that goes on: it makes the connections of another one its own."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence

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


class Taking:
    """Takes what one process gives: its connections, a question whether they have joined their
    groups, and what has come for them there meanwhile. The ``Receiver`` of a connection.
    """

    def __init__(self) -> None:
        self._arrivals: list[Arrival] = []  # which have not begun
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
        check_room(max(sweeper.count(), registry.count()) + len(moved) - 1)
        return Opened(self, moved, descriptors)

    def add(self, arrivals: list[Arrival]) -> None:
        """These wait for what has come for them in the other process."""
        self._arrivals += arrivals

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
            try:
                arrival.begin(late[place] if place < len(late) else None, before)
            except Exception:
                log_failure("A WebSocket that another process has handed over cannot go on")

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
        arrivals = []
        descriptors = iter(self._descriptors)
        for moved in self._moved:
            arrival = create_arrival(moved, descriptors)
            resume(arrival, moved)
            arrivals.append(arrival)
        self._taking.add(arrivals)

    def cancel(self) -> None:
        for descriptor in self._descriptors:
            socket.close(descriptor)


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
    return socket.socket(fileno=move_up(next(descriptors)))


def move_up(descriptor: int) -> int:
    """The same open file under a number that others need less, which ``select()`` can use."""
    try:
        found = duplicate(descriptor, ABOVE_SELECT)
    except OSError:  # there is no other
        return descriptor
    socket.close(descriptor)
    return found
