"""One connection on its way out of this process, and its handler."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from typing import Any

from dwebsocket.backends.kept_state import InvalidKeptState, check_state
from dwebsocket.backends.sessions.arriving import find_usual_transport_class
from dwebsocket.backends.sessions.departing import SessionDeparture
from dwebsocket.backends.sockets.departing import Departure, Late
from dwebsocket.supervisor import ends_process, log_failure
from dwebsocket.upgrade.handler import HandlerCalls

from .records import Moved, name_of_class

__all__ = ["Leaving", "find_leaving", "has_beginning"]

logger = logging.getLogger("dwebsocket.connection")


class Leaving:
    """A connection and its handler.

    Attributes:
        is_unfinished: whether it cannot go just now, and may a moment later.
        moved: what goes, once it is prepared.
        since: when it was suspended, ``time.monotonic()``.
        websocket: whose it is.
    """

    def __init__(self, departure: Departure | SessionDeparture, calls: HandlerCalls) -> None:
        self.websocket = departure.websocket
        self.moved: Moved | None = None
        self.is_unfinished = False
        self.since = 0.0
        self._departure = departure
        self._calls = calls
        self._is_paused = False

    @property
    def size(self) -> int:
        """Bytes that go with it."""
        content = None if self.moved is None else self.moved.content
        return 0 if content is None else content.size

    @property
    def descriptor(self) -> int | None:
        """What goes with it; ``None``: nothing does."""
        return self._departure.descriptor

    def suspend(self) -> bool:
        """Have nothing called any more, and nothing sent. What is being called goes on.

        Returns:
            ``False`` if it has failed, and ends. Never raises.
        """
        self.since = time.monotonic()
        try:
            self._departure.suspend()
        except Exception:
            self._fail()
            return False
        return True

    @property
    def is_still(self) -> bool:
        """Whether nothing of its handler is running any more."""
        if not self._is_paused:
            self._is_paused = self._calls.pause(0)
        return self._is_paused and self._departure.is_still

    @property
    def has_ended(self) -> bool:
        """Whether it ends, and has to do so here."""
        return self._departure.has_ended

    def prepare(self) -> bool:
        """Take out what moves; whether that could be done. Raises nothing but the process's end."""
        handler = name_of_class(type(self._calls.handler))
        try:
            if self.has_ended:
                return False
            state = check_state(self._calls.take_state())
            facts = self._calls.find_facts()
            content = None if facts is None else self._departure.take()
            self.is_unfinished = facts is not None and content is None
            if facts is None or content is None:
                return False
            self.moved = Moved(content, handler, facts.meta, state, facts.user)
        except InvalidKeptState as error:
            logger.error("A connection of %s cannot be handed over: %s", handler, error)
        except BaseException as error:  # gevent's and eventlet's Timeout are no Exception
            # A signal's handler runs in whatever greenlet is running.
            if ends_process(error) and find_usual_transport_class().calls_anew:
                raise
            log_failure("A WebSocket of %s cannot be handed over", handler)
        return self.moved is not None

    def take_late(self) -> Late:
        """Take out what has come since."""
        return self._departure.take_late()

    def go_on(self, late: Late | None = None) -> None:
        """It stays here. Never raises.

        Args:
            late: what ``take_late`` has taken out.
        """
        try:
            if self._is_paused:
                self._calls.go_on()
                self._is_paused = False
            self._departure.go_on(late)
        except Exception:
            self._fail()

    def let_go(self) -> None:
        """The other process has it. Never raises."""
        try:
            self._departure.let_go()
            self._calls.leave()
        except Exception:
            log_failure("A WebSocket of another process is not quite forgotten")

    def _fail(self) -> None:
        """An error is being handled, which is the end of this connection alone."""
        log_failure("A WebSocket cannot be handed over, nor go on, and is closed")
        try:
            self.websocket._lose("of an error that is logged")
        except Exception:
            log_failure("A WebSocket that failed cannot be closed")


def find_leaving(websockets: Iterable[Any], tried: set[Any]) -> list[Leaving]:
    """Those that may go, and were not tried."""
    found = []
    for websocket, calls in find_resumable(websockets, tried):
        if Departure.can_move(websocket):
            found.append(Leaving(Departure(websocket), calls))
        elif SessionDeparture.can_move(websocket):
            found.append(Leaving(SessionDeparture(websocket), calls))
    return found


def has_beginning(websockets: Iterable[Any], tried: set[Any]) -> bool:
    """Whether some may go, and were not tried, as soon as their ``on_open`` has returned."""
    return any(
        Departure.is_beginning(websocket) or SessionDeparture.is_beginning(websocket)
        for websocket, _ in find_resumable(websockets, tried)
    )


def find_resumable(
    websockets: Iterable[Any], tried: set[Any]
) -> Iterator[tuple[Any, HandlerCalls]]:
    """Those whose handlers want to go on elsewhere."""
    for websocket in websockets:
        calls = websocket._origin
        if isinstance(calls, HandlerCalls) and calls.is_resumable and websocket not in tried:
            yield websocket, calls
