"""The thread in which a handshake is answered, and in which a view may go on behind its answer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any

from dwebsocket.backends import view_threads
from dwebsocket.running.threads import Threads, settle
from dwebsocket.supervisor import ends_process, log_failure

__all__ = ["Answering", "Beside"]


class Answering(Executor):
    """Calls one function in one of the threads; whoever waits for it may go on before it returns.

    The threads are few, so that not all clients that come at once run through middleware, and open
    databases, at the same time. A view that stays has another one take the place of its own.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._answer: Future[Any] | None = None  # until it is given: a view may last for hours
        self._kept = False

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        answer = self._answer = Future()
        call = partial(self._call, partial(function, *args, **kwargs))
        self._threads.start(partial(settle, answer, call))
        return answer

    def keep_thread(self) -> None:
        """Leave the running thread to a view until the function returns; another thread takes its
        place.

        Raises:
            NoRoom: too many views have such a thread.
        """
        view_threads.lend(self._threads)
        self._kept = True

    def answer(self, result: Any) -> None:
        """Set the result of the call now, in the place of what the function returns."""
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(result)

    def _call(self, function: Callable[[], Any]) -> Any:
        try:
            return function()
        except BaseException as error:
            if self._answer is not None:
                raise
            if not ends_process(error):
                log_failure("The request of a WebSocket failed")
        finally:
            self._answer = None
            if self._kept:
                view_threads.take_back(self._threads)


class Beside:
    """See ``backends.beside.Beside``: the view's thread is the one that answers its handshake."""

    __slots__ = ("_answering",)

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    def call_in_server(self, function: Callable[[], None]) -> None:
        """See there; so have the rest."""
        function()

    def check_room(self) -> None:
        """See there."""
        self._answering.keep_thread()

    def leave(self, response: Any = None) -> None:
        """See there."""
        self._answering.answer([])
