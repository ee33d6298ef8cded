"""Where code goes on that uses a WebSocket of the gateway: nowhere in the request that asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from asgiref.sync import sync_to_async
from django.http import HttpRequest

from dwebsocket.backends.beside import BESIDE, Beside
from dwebsocket.backends.listening import Listener
from dwebsocket.backends.runner import Owner, Run, Runner, Use
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.protocol.exceptions import InvalidHandshake
from dwebsocket.running.context import capture_context

from .serving import Serving
from .telling import OwnThread, Told, Worked
from .users import check_same_user, find_user

__all__ = ["create_runner"]

NO_LOOP = (
    "WebSockets cannot work here: an async view or handler needs a thread for its event loop, and "
    "with --gevent there is one thread for all. Write 'def' instead of 'async def', or start "
    "run_wsserver without --gevent."
)


class NotResumable(InvalidHandshake):
    """A connection of a handler is taken over, and its address leads to a view now."""

    status_code = 503


class GatewayOwner(Owner, Told, Protocol):
    """The WebSocket."""

    _carries_session: bool

    def _attach_listener(self, listener: Listener) -> Callable[[], None]: ...
    def _attach_thread(self, thread: OwnThread) -> Callable[[], None]: ...
    async def _run_watched(self, run: Run) -> None: ...


class ViewRunner(Runner):
    """Runs a view in the thread in which its request runs."""

    __slots__ = ("_beside", "_owner")

    def __init__(self, owner: GatewayOwner, beside: Beside) -> None:
        self._owner = owner
        self._beside = beside

    def start_view(self) -> None:
        if self._owner.accepted:
            self._leave()
        else:
            self._owner._on_accept = self._leave

    def _leave(self) -> None:
        self._owner._runner = None
        self._beside.leave()


class LoopRunner(Runner):
    """Runs a coroutine in the event loop of this process."""

    __slots__ = ("_owner", "_serving")

    def __init__(self, owner: GatewayOwner, serving: Serving) -> None:
        self._owner = owner
        self._serving = serving

    def start_coroutine(self, run: Run) -> bool:
        owner, loop = self._owner, self._serving.use_loop()
        owner._runner = None
        context = capture_context()

        def begin() -> None:
            task: Any = context.copy_for_thread().run(loop.create_task, owner._run_watched(run))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        loop.call_soon_threadsafe(begin)
        return True

    async def astart_coroutine(self, run: Run) -> bool:
        return await sync_to_async(self.start_coroutine)(run)


#: The loop itself refers to tasks weakly.
tasks: set[Any] = set()


class HandlerRunner(Runner):
    """Has a handler called when something comes."""

    __slots__ = ("_flow", "_owner", "_thread")

    def __init__(self, owner: GatewayOwner, serving: Serving) -> None:
        self._owner = owner
        self._flow = serving.flow
        own = serving.own_threads and not owner._carries_session
        self._thread = OwnThread(owner) if own else None

    def cancel(self) -> None:
        if self._thread is not None:
            self._thread.cancel()

    def drive(self, listener: Listener) -> Callable[[], None] | None:
        self._owner._runner = None
        worked = Worked(self._flow, listener)
        if self._thread is None:
            return self._owner._attach_listener(worked)
        self._thread.listen(worked)
        return self._owner._attach_thread(self._thread)


def create_runner(
    owner: GatewayOwner, serving: Serving, request: HttpRequest, use: Use, *, accepts: bool
) -> Runner | None:
    """As ``BaseWebSocket._create_runner``."""
    handles = use is Use.HANDLER or (use is Use.COROUTINE and is_handler(request))
    serving.is_handler = handles and not owner._carries_session
    if serving.flow.is_resumed and not serving.is_handler:
        raise NotResumable("This address is that of a view, which cannot go on in the middle.")
    if serving.is_handler:
        if serving.flow.is_resumed:
            check_same_user(request, serving.flow.content.get("user"))
        serving.user = find_user(request)
    if use is Use.VIEW:
        beside: Beside | None = request.META.get(BESIDE)
        if beside is None:
            return None
        beside.check_room()
        return ViewRunner(owner, beside)
    if use is Use.HANDLER:
        return HandlerRunner(owner, serving)
    if serving.has_greenlets:
        raise SocketTakeoverError(NO_LOOP)
    if not accepts:
        serving.keep_thread()
        return None
    return LoopRunner(owner, serving)


def is_handler(request: HttpRequest) -> bool:
    """Whether its view is a handler's: a decorated one has the attributes of what is inside."""
    match = request.resolver_match
    return match is not None and hasattr(getattr(match.func, "view_class", None), "get_state")
