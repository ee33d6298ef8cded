"""A request that runs beside its server: all of it, with its middleware around the view.

A view may wait for hours, inside its middleware, and a server has few threads. So the request of a
view runs in a thread or greenlet of ours from its beginning, and the server's own waits until the
view has accepted its WebSocket, or until there is a response. Then the server's request ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse

from dwebsocket.backends import view_threads
from dwebsocket.backends.room import NoRoom
from dwebsocket.running import database
from dwebsocket.transports import Transport
from dwebsocket.transports.base import Lock

__all__ = ["BESIDE", "THREADS", "Beside", "Starter", "drop_server", "run_in"]

#: In request.META, which wrappers of the request share.
BESIDE = "dwebsocket.beside"


class Starter(NamedTuple):
    """In what a server's views run.

    Attributes:
        start: runs a function beside the server, with the caller's context.
        create_lock: makes a lock that lets others go on while one waits for it.
    """

    start: Callable[[Callable[[], None]], None]
    create_lock: Callable[[], Lock]


def start_in_thread(run: Callable[[], None]) -> None:
    view_threads.start_thread().run(run)


THREADS = Starter(start_in_thread, threading.Lock)


def run_in(transport_class: type[Transport]) -> Starter:
    """What the transports of a server run things in."""
    return Starter(
        partial(transport_class.start, name=view_threads.NAME), transport_class.create_lock
    )


class Beside:
    """One such request, and the server's thread that waits for it.

    Attributes:
        shortage: why it runs in the server's thread after all.
        left: whether the server waits no more.
    """

    __slots__ = ("_decided", "_error", "_first", "_request", "_response", "left", "shortage")

    _decided: Lock  # held until the server's thread may go on
    _request: Callable[[], Any] | None  # runs it

    def __init__(self) -> None:
        self.shortage: NoRoom | None = None
        self.left = False
        self._error: BaseException | None = None
        self._first: Callable[[], None] | None = None
        self._response: Any = None

    def respond(self, starter: Starter, run: Callable[[], Any]) -> Any:
        """Run the request; what the server gets. In the server's thread.

        Raises:
            NoRoom: it cannot run beside the server; nothing has been called.
        """
        self._decided = starter.create_lock()
        self._decided.acquire()
        self._request = run
        try:
            starter.start(self._run)
        except NoRoom as error:
            self.shortage = error
            raise
        self._decided.acquire()
        first, failure, response = self._first, self._error, self._response
        self._first = self._error = self._response = None  # they refer to the request, as it to us
        if first is not None:
            first()
        if failure is not None:
            raise failure
        return LEFT if response is None else response

    def call_in_server(self, function: Callable[[], None]) -> None:
        """Have the server's thread call this when it goes on."""
        if self.shortage is None:
            self._first = function
        else:
            function()

    def check_room(self) -> None:
        """See to it that a view may wait here.

        Raises:
            NoRoom: it would hold the server's thread.
        """
        if self.shortage is not None:
            raise self.shortage

    def leave(self, response: HttpResponse | None = None) -> None:
        """A view has accepted: let the server's request end, with this response if there is one,
        while the view's own goes on.
        """
        if not self.left:
            self.left = True
            if response is not None:
                response.close = do_nothing  # type: ignore[method-assign]
                self._response = response
            self._decided.release()

    def _run(self) -> None:
        before = database.opened
        request, self._request = self._request, None
        assert request is not None
        try:
            self._finish(request())
        except BaseException as error:
            if self.left:
                raise
            self._error = error
        finally:
            try:
                if database.opened != before:
                    database.close_all()
            finally:
                if not self.left:
                    self._decided.release()

    def _finish(self, response: Any) -> None:
        """The request's end: here, once the server has left it, else behind its answer."""
        if self.left:
            response.close()
        else:
            self._response = response


#: What a server says about itself in the environ. Its objects hold its parser, its response, ….
KINDS = (str, bytes, int, float, tuple, list, dict, type(None))
PLAIN = frozenset([*KINDS, bool])

EMPTY = BytesIO()


def drop_server(request: HttpRequest) -> None:
    """Have a request that goes on hold nothing of the server, whose own ends."""
    # The server goes on with its own dictionary.
    meta = dict(request.META)
    for key, item in request.META.items():
        if type(item) not in PLAIN and not (
            "A" <= key < "[" or key.startswith("dwebsocket.") or isinstance(item, KINDS)
        ):
            del meta[key]
    meta["wsgi.input"] = request._stream = EMPTY  # there is no body
    request.META = request.environ = meta  # type: ignore[attr-defined]


def do_nothing() -> None:
    """Stands for the end of a request that goes on."""


class LeftResponse(HttpResponse):
    """What the server gets for a request that goes on, and ends, beside it."""

    status_code = 101

    def __init__(self) -> None:
        super().__init__(content_type="text/plain")  # not to be put together: nobody reads it

    def close(self) -> None:
        """Not the end of the request."""


#: Nobody reads it, or changes it: one is enough.
LEFT = LeftResponse()
