"""Who is connected: a question to all processes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, overload

from dwebsocket.groups.survey import Process, Survey, ask
from dwebsocket.protocol.frames import CloseCode, check_close
from dwebsocket.running.threads import in_thread

from .answers import CLOSE, LIST, STATS, answer_questions
from .facts import Connection
from .filters import Filter

__all__ = [
    "TIMEOUT",
    "Connections",
    "Stats",
    "aclose_connections",
    "aget_stats",
    "alist_connections",
    "close_connections",
    "close_found",
    "get_stats",
    "list_connections",
    "list_found",
]

#: Seconds for which a process may be silent.
TIMEOUT = 1.0


class Connections(Sequence[Connection]):
    """Those that were found, the oldest first.

    Attributes:
        answered: the processes that have answered.
        silent: those that have not: what they hold is not among these. Where the backend of groups
            cannot tell how many there are, nobody is missed.
    """

    def __init__(self, survey: Survey) -> None:
        rows = chain.from_iterable(survey.rows.values())
        made = [Connection(*row)._replace(groups=tuple(row[13])) for row in rows]
        self._all = sorted(made, key=lambda one: -one.age)
        self.answered: tuple[Process, ...] = survey.answered
        self.silent: tuple[Process, ...] = survey.silent

    @overload
    def __getitem__(self, index: int) -> Connection: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Connection]: ...
    def __getitem__(self, index: int | slice) -> Connection | Sequence[Connection]:
        return self._all[index]

    def __len__(self) -> int:
        return len(self._all)

    def __repr__(self) -> str:
        return f"<{len(self)} connections, {len(self.silent)} processes silent>"


class Stats(NamedTuple):
    """What there is in all processes, or in one.

    Attributes:
        connections: WebSockets that are open.
        received: messages that have come on these.
        sent: messages that were sent on these.
        bytes_in, bytes_out: what their TCP connections have carried, as far as that is known.
        waiting: bytes that wait to be sent.
        processes: the same of each process; in those it is empty.
        silent: the processes that have not answered.
    """

    connections: int
    received: int
    sent: int
    bytes_in: int
    bytes_out: int
    waiting: int
    processes: dict[Process, Stats]
    silent: tuple[Process, ...]


def list_connections(
    *,
    path: str | None = None,
    user: Any = None,
    group: str | None = None,
    timeout: float = TIMEOUT,
) -> Connections:
    """The WebSockets that are open in all processes of the site.

    Args:
        path: only those with this path; ``*``, ``?`` and ``[…]`` in it stand for others.
        user: only those of this user: a user, or its primary key unless that is a text, which is a
            user's name.
        group: only those in the group of this name.
        timeout: seconds for which a process may be silent.

    Raises:
        GroupUnavailable: the question did not get to the other processes.
        SynchronousOnlyOperation: the caller runs in an event loop.
    """
    return list_found(Filter.build(None, path, user, group), timeout)


def list_found(wanted: Filter, timeout: float = TIMEOUT) -> Connections:
    """Those that are meant."""
    return Connections(put(LIST, wanted._asdict(), timeout))


def close_connections(
    *,
    ids: Iterable[str] | None = None,
    path: str | None = None,
    user: Any = None,
    group: str | None = None,
    everyone: bool = False,
    code: int = CloseCode.GOING_AWAY,
    reason: str = "",
    timeout: float = TIMEOUT,
) -> int:
    """Close WebSockets in all processes of the site; how many.

    Args:
        ids: those with these ids.
        path, user, group, timeout: as ``list()`` has them. With several all of them count.
        everyone: all, which is refused without this word.
        code: of the Close.
        reason: of the Close, at most 123 bytes.

    Raises:
        GroupUnavailable: the others were not told.
        SynchronousOnlyOperation: the caller runs in an event loop.
        ValueError: nothing says which; or a code or a reason that cannot be sent.
    """
    wanted = Filter.build(ids, path, user, group)
    if wanted.is_empty and not everyone:
        raise ValueError(
            "close() was told neither ids nor path, user or group: that would close all "
            "WebSockets of the site. Say everyone=True if you mean that"
        )
    return len(close_found(wanted, code, reason, timeout))


def close_found(
    wanted: Filter, code: int, reason: str = "", timeout: float = TIMEOUT
) -> Connections:
    """Close those that are meant; what they were."""
    code, reason = check_close(code, reason)
    args = {**wanted._asdict(), "code": int(code), "reason": reason}
    return Connections(put(CLOSE, args, timeout))


def get_stats(*, timeout: float = TIMEOUT) -> Stats:
    """How many WebSockets are open in all processes, and what they carry.

    Args:
        timeout: seconds for which a process may be silent.

    Raises:
        GroupUnavailable: the question did not get to the other processes.
        SynchronousOnlyOperation: the caller runs in an event loop.
    """
    survey = put(STATS, {}, timeout)
    each = {
        process: Stats(**rows[0], processes={}, silent=())
        for process, rows in survey.rows.items()
        if rows
    }
    sums = {name: sum(getattr(one, name) for one in each.values()) for name in Stats._fields[:6]}
    return Stats(**sums, processes=each, silent=survey.silent)


def put(what: str, args: dict[str, Any], timeout: float) -> Survey:
    answer_questions()  # this process may be asked, too
    found: Survey = ask(what, args, timeout)
    return found


async def alist_connections(
    *,
    path: str | None = None,
    user: Any = None,
    group: str | None = None,
    timeout: float = TIMEOUT,
) -> Connections:
    """``list()`` for async code."""
    return await in_thread(
        partial(list_connections, path=path, user=user, group=group, timeout=timeout)
    )


async def aclose_connections(
    *,
    ids: Iterable[str] | None = None,
    path: str | None = None,
    user: Any = None,
    group: str | None = None,
    everyone: bool = False,
    code: int = CloseCode.GOING_AWAY,
    reason: str = "",
    timeout: float = TIMEOUT,
) -> int:
    """``close()`` for async code."""
    close = partial(close_connections, ids=ids, path=path, user=user, group=group)
    return await in_thread(
        partial(close, everyone=everyone, code=code, reason=reason, timeout=timeout)
    )


async def aget_stats(*, timeout: float = TIMEOUT) -> Stats:
    """``stats()`` for async code."""
    return await in_thread(partial(get_stats, timeout=timeout))
