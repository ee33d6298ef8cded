"""A view's time with its WebSocket, and the Close that tells how it has ended."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest

from dwebsocket.backends import view_threads
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.protocol.exceptions import InvalidHandshake
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.running.call_contexts import CallContexts
from dwebsocket.running.coroutines import release_thread, surround_calls
from dwebsocket.running.threads import in_thread
from dwebsocket.upgrade import collectors
from dwebsocket.upgrade.connection_log import tell_ended
from dwebsocket.upgrade.error_log import log_error, report, show_error, tells_end
from dwebsocket.upgrade.hints import tell_hint
from dwebsocket.upgrade.lost_changes import LastResponse, tell_of_late_response, tell_of_unsaved
from dwebsocket.upgrade.refusals import end_connection_behind, refuse_for
from dwebsocket.websocket import BaseWebSocket

__all__ = ["SwitchedResponse", "ViewRun", "aend", "end", "ending_on_error"]


class ViewRun:
    """A view's time with its WebSocket: however it ends, the connection is closed and no error page
    gets into it.
    """

    __slots__ = (
        "_args",
        "_contexts",
        "_error",
        "_kwargs",
        "_request",
        "_response",
        "_view",
        "_websocket",
        "path",
        "since",
    )

    def __init__(
        self,
        websocket: BaseWebSocket,
        request: HttpRequest,
        view: Callable[..., Any],
        args: Any,
        kwargs: Any,
        contexts: CallContexts | None = None,
    ) -> None:
        self._websocket = websocket
        self._contexts = contexts  # for a coroutine that leaves its request
        self._request = request
        self._view = view
        self._args = args
        self._kwargs = kwargs
        # What has become, beside the server, of an ``async`` view that did not accept.
        self._error: BaseException | None = None
        self._response: Any = None
        self.path = request.path
        self.since = monotonic()

    @property
    def served(self) -> tuple[Any, str, Any]:
        """For those who ask who is connected: see ``Origin``."""
        kind = "async view" if iscoroutinefunction(self._view) else "view"
        return self._request, kind, None

    @property
    def is_abandoned(self) -> bool:
        """Whether the view goes on although the connection has ended."""
        return self._websocket.close_code is not None

    async def astart_beside(self) -> bool:
        """Run the ``async def`` view beside the server, whose request then ends at once; whether
        that is so.
        """
        contexts = self._contexts
        if contexts is not None:
            contexts.begin()
        runner, started = self._websocket._runner, False
        assert runner is not None  # its request has not ended
        try:
            with ending_on_error(self._websocket):
                started = await runner.astart_coroutine(self._arun_beside)
        finally:
            if contexts is not None and not started:
                contexts.end()
        return started

    def start_beside(self) -> bool:
        """``astart_beside`` in a thread; the handshake has been accepted."""
        contexts = self._contexts
        if contexts is not None:
            contexts.begin()
        runner, started = self._websocket._runner, False
        assert runner is not None  # its request has not ended
        try:
            with ending_on_error(self._websocket):
                started = runner.start_coroutine(self._arun_beside)
        finally:
            if contexts is not None and not started:
                contexts.end()
        return started

    def answer(self) -> Any:
        """The response for Django when the view has left the server."""
        if self._error is not None:
            raise self._error
        if not self._websocket.accepted:
            return self._response
        return self._websocket._take_response() or LastResponse(self._request, goes_on=True)

    def run(self) -> Any:
        """Run the view; the response for Django."""
        resume = collectors.pause()
        view_threads.begin(self)
        try:
            if self._websocket._runner is not None:
                self._websocket._runner.start_view()
            outcome = self._view(self._request, *self._args, **self._kwargs)
        except BaseException as error:
            view_threads.end(self)
            return self._fail(error)
        finally:
            resume()
        view_threads.end(self)
        end(self._websocket, None)
        return self.respond(outcome)

    async def arun(self) -> Any:
        """Run the ``async def`` view; the response for Django."""
        resume = await collectors.apause()
        try:
            return await self._arun()
        finally:
            await resume()

    async def _arun(self) -> Any:
        try:
            outcome = await self._view(self._request, *self._args, **self._kwargs)
        except Exception as error:
            await aend(self._websocket, error)
            return await in_thread(self._fail, error)
        except BaseException as error:  # cancelled: nothing is waited for
            return self._fail(error)
        await aend(self._websocket, None)
        return self.respond(outcome)

    async def _arun_beside(self) -> None:
        contexts = self._contexts
        if contexts is not None:
            surround_calls(contexts.surround)
            self._view = partial(contexts.arun, self._view)
        try:
            self._response = await self._arun()
        except BaseException as error:
            self._keep(error)
        finally:
            self._tell_of_unsaved()
            if contexts is not None:
                contexts.end()

    def _tell_of_unsaved(self) -> None:
        if self._websocket.accepted:
            tell_of_unsaved(self._request)

    def _keep(self, error: BaseException) -> None:
        """Keep an error for the request, if that still waits for an answer; otherwise raise it."""
        if self._websocket.accepted:
            raise error
        self._error = error

    def respond(self, outcome: Any = None) -> Any:
        """What Django gets: the view's response to a handshake that it did not accept, else one
        that goes nowhere.
        """
        if self._websocket.accepted:
            tell_of_late_response(self._request, outcome)
            return SwitchedResponse(self._request, self._websocket)
        end_connection_behind(self._request, outcome)
        return outcome

    def _fail(self, error: BaseException) -> Any:
        """The response for Django where the view raised: it sees the error only before the
        101.
        """
        end(self._websocket, error)
        if not self._websocket.accepted:
            if isinstance(error, (InvalidHandshake, SocketTakeoverError)):
                return refuse_for(self._request, error)  # what accept() in the view ran into
            end_connection_behind(self._request)
            raise error
        if not isinstance(error, Exception):
            raise error
        if not tells_end(error):
            log_error(self._request, self._request.path, error)
            tell_hint(self._websocket, self._request.path, error)
        return self.respond()


class SwitchedResponse(LastResponse):
    """The response behind a WebSocket. The server finds nobody to write it to."""

    def __init__(self, request: HttpRequest, websocket: BaseWebSocket) -> None:
        super().__init__(request)
        self._websocket = websocket

    def __iter__(self) -> Iterator[bytes]:
        # Some servers want to be told in the very thread that iterates: not so in an async view.
        self._websocket._finish()
        return iter(())


@contextmanager
def ending_on_error(websocket: BaseWebSocket) -> Iterator[None]:
    """Close the connection on an error that comes before its session has begun to see to that."""
    try:
        yield
    except BaseException as error:
        end(websocket, error)
        raise


def end(websocket: BaseWebSocket, error: BaseException | None) -> None:
    """The view has ended, ``error`` is why: close with the code that tells (RFC 6455, 7.4.1)."""
    websocket._origin = None
    if websocket._runner is not None:  # it may have reserved something
        forget_runner(websocket)
    if websocket.accepted:
        report_unless_cancelled(error)  # who waits for the Close is to know it by then
        # The peer may take its time, and not every server ends a request whose client has left.
        websocket._release_database()
        show_error(websocket, error)
        try:
            if error is None or isinstance(error, Exception):
                websocket.close(find_close_code(error))
            else:  # SystemExit, GreenletExit, …: the server ends, and does not wait for a peer
                websocket.close_connection(CloseCode.GOING_AWAY, "", timeout=0)
        finally:
            tell_ended(websocket)
            websocket._finish()


def report_unless_cancelled(error: BaseException | None) -> None:
    if not isinstance(error, CancelledError):
        report(error)


def forget_runner(websocket: BaseWebSocket) -> None:
    """Give back what the runner has reserved and not used. The two refer to each other."""
    runner, websocket._runner, websocket._on_accept = websocket._runner, None, None
    assert runner is not None
    runner.cancel()


async def aend(websocket: BaseWebSocket, error: Exception | None) -> None:
    """``end`` in an event loop, without a thread where that can be done."""
    if websocket.accepted:
        report_unless_cancelled(error)
        release_thread()
        await websocket._arelease_database()
        show_error(websocket, error)
        await websocket.aclose(find_close_code(error))
    if websocket._loop is not None:
        end(websocket, error)
    else:
        await in_thread(end, websocket, error)


def find_close_code(error: Exception | None) -> int:
    normal = error is None or tells_end(error)
    return CloseCode.NORMAL_CLOSURE if normal else CloseCode.INTERNAL_ERROR
