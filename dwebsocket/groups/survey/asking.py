"""What the one who asks does: it sends the question, and waits for those who may answer."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from queue import Empty, Queue
from time import monotonic
from typing import Any, NamedTuple

from django.utils.asyncio import async_unsafe

from dwebsocket.groups.base import BaseGroupBackend
from dwebsocket.groups.current import get_backend, get_members
from dwebsocket.protocol.prepared import PreparedMessage

from .answering import find_rows, join, this_process
from .forms import QUESTIONS, Answer, Process, Question, name_for_answers

__all__ = ["Survey", "ask"]

#: Times the timeout that a process may take which has begun to answer.
PATIENCE = 10


class Survey(NamedTuple):
    """What all have answered.

    Attributes:
        rows: what each process has said.
        answered: those that have answered.
        silent: those that have not, or not to the end.
    """

    rows: dict[Process, list[Any]]
    answered: tuple[Process, ...]
    silent: tuple[Process, ...]


@async_unsafe("Ask by the async function, which begins with an 'a'.")
def ask(what: str, args: Mapping[str, Any], timeout: float) -> Survey:
    """Ask all processes.

    Args:
        timeout: seconds that each may be silent for.

    Raises:
        GroupUnavailable: the question did not get to the others.
        InvalidGroupBackend: the setting does not describe one.
        SynchronousOnlyOperation: the caller runs in an event loop.
    """
    question = Question(os.urandom(8).hex(), what, args)
    backend = get_backend()
    if not backend.shared:
        me = this_process(backend)
        rows = [row for rows in find_rows(question) for row in rows]
        return Survey({me: rows}, (me,), ())
    join()  # who listens, and is in no group, would be taken for one that does not answer
    collector = Collector()
    members, name = get_members(), name_for_answers(question.id)
    members.add(name, collector)
    try:
        backend.subscribe(name)
        expected = Expected(backend)
        text = question.pack()
        backend.receive(QUESTIONS, text)
        backend.publish(QUESTIONS, text)
        collector.wait(expected, timeout)
    finally:
        if members.discard(name, collector):
            backend.unsubscribe(name)
    return collector.build(expected)


class Expected:
    """Who may answer: by name, or at least how many."""

    def __init__(self, backend: BaseGroupBackend) -> None:
        self._backend = backend
        names = backend.list_processes()
        self._names = None if names is None else {*names, backend.get_name()}
        self._count = backend.count_listeners(QUESTIONS) if names is None else None

    def have_all(self, answered: set[Process]) -> bool:
        """Whether nobody else can answer."""
        if self._names is not None:
            return self._names <= {process.name for process in answered}
        return self._count is not None and len(answered) >= self._count

    def find_silent(self, answered: set[Process]) -> list[Process]:
        """Those that live, and have not answered."""
        if self._names is not None:
            alive = {*(self._backend.list_processes() or ()), self._backend.get_name()}
            silent = (self._names & alive) - {process.name for process in answered}
            return [build_process(name) for name in sorted(filter(None, silent))]
        return [Process()] * max(0, (self._count or 0) - len(answered))


def build_process(name: str) -> Process:
    """What can be told of a process of this machine by its name, which begins with the pid."""
    pid = name.partition(".")[0]
    if not pid.isdecimal():
        return Process(name=name)
    return Process(platform.node(), int(pid), name)


class Collector:
    """The member to whom the answers come; whoever brings them does not unpack them."""

    accepted, _has_ended, _hooks, _positions = True, False, None, None

    def __init__(self) -> None:
        self._come: Queue[Any] = Queue()
        self._rows: dict[Process, list[Any]] = {}
        self._answered: set[Process] = set()

    def send_nowait(self, message: PreparedMessage) -> None:
        """An answer has come."""
        self._come.put(message.event.get("bytes"))

    def close_nowait(self, code: int, reason: str) -> None:
        """Nobody closes it."""

    def wait(self, expected: Expected, timeout: float) -> None:
        """Wait until all have answered, or those that have not are silent for so long."""
        begun = heard = monotonic()
        while not expected.have_all(self._answered):
            is_midway = not self._rows.keys() <= self._answered
            end = min(heard if is_midway else begun, begun + (PATIENCE - 1) * timeout) + timeout
            try:
                self._take(self._come.get(timeout=max(0.0, end - monotonic())))
            except Empty:
                return
            heard = monotonic()

    def _take(self, data: object) -> None:
        try:
            answer = Answer.unpack(data)
        except ValueError:
            return
        self._rows.setdefault(answer.process, []).extend(answer.rows)
        if answer.is_last:
            self._answered.add(answer.process)

    def build(self, expected: Expected) -> Survey:
        """What has been answered."""
        silent = expected.find_silent(self._answered)
        return Survey(self._rows, tuple(sorted(self._answered, key=str)), tuple(silent))
