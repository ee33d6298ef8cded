"""The sessions of this process, by their sids; and the clock that looks at the time of each."""

from __future__ import annotations

import atexit
import os
import secrets
import sys
import time
from collections.abc import Callable
from time import monotonic
from typing import Any

from dwebsocket.backends.gunicorn_worker import find_stop_signal
from dwebsocket.backends.sessions.relay import get_links, split_sid
from dwebsocket.backends.sessions.session import Session
from dwebsocket.backends.sockets import sweeper
from dwebsocket.conf import conf
from dwebsocket.supervisor import Service, log_failure

__all__ = [
    "add",
    "count",
    "create_sid",
    "discard",
    "find_owners",
    "find_session",
    "find_stop_code",
    "has_left",
    "leave",
]

#: Random bytes of a sid.
SID_BYTES = 16

#: Seconds between two looks, at least and at most; and without any session before it ends.
MIN_INTERVAL, MAX_INTERVAL = 0.05, 1.0
IDLE_TIMEOUT = 30.0

#: Seconds that carriers have to take the last packets when the interpreter ends, at most, and
#: between two looks at whether they have.
GRACE, PAUSE = 1.0, 0.005

sessions: dict[str, Session] = {}

#: The sids of those that other processes have now. This one ends.
left: set[str] = set()


def create_sid() -> str:
    """A name that nobody guesses. It says which process has the session, if there are others."""
    links, secret = get_links(), secrets.token_urlsafe(SID_BYTES)
    return secret if links is None else f"{links.name}.{secret}"


def count() -> int:
    """How many there are."""
    return len(sessions)


def find_session(sid: str) -> Session | None:
    """The session of this name, unless it is over and nothing is left to say; ``None``: nobody
    here knows it.
    """
    session = sessions.get(sid)
    if session is not None:
        session.tick(monotonic())
        if session.is_gone:
            sessions.pop(sid, None)
            return None
    return session


class Clock:
    """Looks at the time of the sessions that wait in one way: threads, gevent, eventlet.

    Args:
        start: what runs a function beside the server.
        sleep: how that waits.
    """

    def __init__(self, start: Callable[..., Any], sleep: Callable[[float], None]) -> None:
        self._sessions: set[Session] = set()
        self._sleep = sleep
        self._sweeper = sweeper.find_sweeper(start, sleep)
        self._service = Service(self._run, "dwebsocket-sessions", start, sleep)

    def leave(self, code: int) -> None:
        """End all, or hand them over: the interpreter ends."""
        self._sweeper.leave(code)

    def add(self, session: Session) -> None:
        """Look at this one, too."""
        self._sessions.add(session)
        self._service.ensure()

    def _run(self) -> None:
        busy = monotonic()
        while True:
            self._sleep(find_interval())
            now = monotonic()
            code = find_stop_code() if self._sessions else None
            is_over = code is not None and self._sweeper.leave_soon(code)
            for session in list(self._sessions):
                look_at(session, now, code if is_over else None)
                if session.is_gone:
                    self._sessions.discard(session)
                    sessions.pop(session.sid, None)
            if self._sessions:
                busy = now
            elif now - busy > IDLE_TIMEOUT and self._service.end(lambda: self._sessions):
                return


#: By the function that starts one.
clocks: dict[Any, Clock] = {}


def find_interval() -> float:
    """Seconds between two looks."""
    times = (conf.PING_INTERVAL, conf.PING_TIMEOUT, conf.RESUME_TIMEOUT)
    shortest = min((one for one in times if one), default=MAX_INTERVAL)
    return min(MAX_INTERVAL, max(MIN_INTERVAL, shortest / 8))


def find_stop_code() -> int | None:
    """The close code for the end of the server, once it has been told to end, if one can know."""
    if "gunicorn.workers.base" not in sys.modules:
        return None
    find_code = find_stop_signal()
    return None if find_code is None else find_code()


def look_at(session: Session, now: float, code: int | None) -> None:
    """See what its time says; what fails is the end of this session alone."""
    try:
        if code is not None:
            session.end(code, "", lingers=False)
        session.tick(now)
    except Exception:
        log_failure("A WebSocket cannot be looked after")
        session.is_gone = True


def add(
    session: Session,
    start: Callable[..., Any],
    sleep: Callable[[float], None],
) -> None:
    """Have it found by its sid, and look at its time, until nothing is left of it."""
    sessions[session.sid] = session
    clock = clocks.get(start)
    if clock is None:
        clock = clocks.setdefault(start, Clock(start, sleep))
    find_stop_code()  # here: a request is running, by which the worker is found
    clock.add(session)


def leave(session: Session) -> None:
    """Another process has it, which is looked for if somebody asks here."""
    left.add(session.sid)
    sessions.pop(session.sid, None)


def find_owners() -> list[str]:
    """The processes that have begun the sessions which are here."""
    return sorted({owner for sid in list(sessions) if (owner := split_sid(sid)) is not None})


def has_left(sid: str) -> bool:
    """Whether it was here, and is another process's."""
    return sid in left


def discard(session: Session) -> None:
    """Forget one that has not begun."""
    session.is_gone = True
    sessions.pop(session.sid, None)


def forget() -> None:
    """Forget the parent's sessions in a forked child."""
    sessions.clear()
    left.clear()
    clocks.clear()


@atexit.register
def end_all() -> None:
    """The interpreter ends: say so."""
    code = find_stop_code() or sweeper.get_exit_code()
    for clock in list(clocks.values()):
        if sessions:
            clock.leave(code)
            wait_until_said()


def wait_until_said() -> None:
    """Give carriers a moment to take the last packets: polls, and those of other processes.
    WebSockets are waited for with all others.
    """
    until = monotonic() + GRACE
    while monotonic() < until and (sweeper.is_answering() or is_sending()):
        time.sleep(PAUSE)


def is_sending() -> bool:
    links = get_links()
    return links is not None and links.is_sending


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
