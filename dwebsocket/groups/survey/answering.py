"""What a process does with a question: a thread of its own answers it."""

from __future__ import annotations

import logging
import os
import platform
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from time import sleep
from typing import Any

from django.core.signals import setting_changed

from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.base import BaseGroupBackend
from dwebsocket.groups.current import get_backend, get_members
from dwebsocket.protocol.prepared import PreparedMessage
from dwebsocket.running.threads import NoThread, Threads
from dwebsocket.supervisor import log_now_and_then

from .forms import QUESTIONS, Answer, Process, Question, name_for_answers

__all__ = ["answer_with", "find_rows", "join", "join_soon", "this_process"]

logger = logging.getLogger("dwebsocket.groups")

#: Threads that answer, and questions that may wait for them: what comes beyond is left out, and
#: this process is one that has not answered.
THREADS, MAX_WAITING = 2, 50

#: Called with what a question says; gives lists of rows, each of which is sent by itself.
Answering = Callable[[Mapping[str, Any]], Iterable[list[Any]]]

answers: dict[str, Answering] = {}


def answer_with(what: str, function: Answering) -> None:
    """Have these questions answered by this function, in a thread, from now on."""
    answers[what] = function


def find_rows(question: Question) -> Iterator[list[Any]]:
    """What this process has to say. To what it has never heard of, which is about what it does not
    do, that is nothing.
    """
    function = answers.get(question.what)
    if function is not None:
        yield from function(question.args)


def this_process(backend: BaseGroupBackend) -> Process:
    """What an answer says of its sender."""
    return Process(platform.node(), os.getpid(), backend.get_name())


class Answerer:
    """The member by which this process is in the group of all questions.

    Attributes:
        accepted: as a member has it.
        has_joined: it is in that group, or is about to.
    """

    accepted, _has_ended, _hooks, _positions = True, False, None, None

    def __init__(self) -> None:
        self.has_joined = False
        self._threads = Threads(THREADS, "dwebsocket-answering")
        self._lock = threading.Lock()  # held for an instant
        self._waiting = 0

    def send_nowait(self, message: PreparedMessage) -> None:
        """A question has come."""
        try:
            question = Question.unpack(message.event.get("text"))
        except ValueError:
            return
        with self._lock:
            if self._waiting >= MAX_WAITING:
                return
            self._waiting += 1
        try:
            self._threads.start(partial(self._answer, question))
        except NoThread as error:
            log_now_and_then("answer", "Who is connected cannot be told: %s", error)
            self._answered()

    def close_nowait(self, code: int, reason: str) -> None:
        """Nobody closes it."""

    def _answered(self) -> None:
        with self._lock:
            self._waiting -= 1

    def _answer(self, question: Question) -> None:
        try:
            send_answer(question)
        except GroupUnavailable as error:
            log_now_and_then("answer", "Who is connected cannot be told: %s", error)
        except Exception:
            logger.exception("The question for %r cannot be answered", question.what)
        finally:
            self._answered()

    def join_soon(self) -> None:
        """Be in that group, as soon as a thread has seen to it."""
        try:
            if not get_backend().shared:  # who asks is here
                return
            self.has_joined = True
            self._threads.start(self._join)
        except Exception as error:  # a handshake is no worse for it
            self.has_joined = False
            log_now_and_then("join", "This process is not asked who is connected: %s", error)

    def _join(self) -> None:
        try:
            self.join()
        except Exception:
            self.has_joined = False  # the next handshake tries again
            raise

    def join(self) -> None:
        """Be in that group."""
        self.has_joined = True
        get_members().add(QUESTIONS, self)
        get_backend().subscribe(QUESTIONS)


def send_answer(question: Question) -> None:
    """Tell the one who asks."""
    backend, name = get_backend(), name_for_answers(question.id)
    process = this_process(backend)

    def send(rows: list[Any], *, is_last: bool) -> None:
        data = Answer(process, rows, is_last).pack()
        backend.receive(name, data)
        backend.publish(name, data)

    for rows in find_rows(question):
        send(rows, is_last=False)
        sleep(0)  # greenlets change places only where one waits
    send([], is_last=True)


answerer = Answerer()


def join_soon() -> None:
    """A WebSocket has been accepted: this process can be asked who is connected. Never waits, never
    raises.
    """
    if not answerer.has_joined:
        answerer.join_soon()


def join() -> None:
    """Let this process be asked. May wait a moment.

    Raises:
        InvalidGroupBackend: the setting does not describe one.
    """
    answerer.join()


def start_anew() -> None:
    """In a forked child, whose members are others; and in a test that changes the setting."""
    global answerer
    get_members().leave(answerer)
    answerer = Answerer()


def forget_backend(*, setting: str, **kwargs: Any) -> None:
    """A test has changed the setting: there is another backend."""
    if setting == "WEBSOCKET_GROUPS":
        start_anew()


setting_changed.connect(forget_backend, dispatch_uid="dwebsocket.survey")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=start_anew)
