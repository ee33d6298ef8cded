"""What an ASGI server gives the application for one WebSocket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from contextvars import Context, copy_context
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dwebsocket.backends.calls import callers
from dwebsocket.running.threads import NoThread, settle

from .call_queue import Flushing, get_call_queue
from .servers import AsgiTakeover
from .turns import get_turns

if TYPE_CHECKING:
    from .answering import Answering

__all__ = ["CONNECTION", "POLL", "AsgiConnection", "Event", "Receive", "Scope", "Send", "explain"]

Event = Mapping[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

Result = TypeVar("Result")

#: Seconds that a busy loop may take for a round before a thread goes on without it.
MAX_LOOP_ROUND = 1.0

#: Seconds after which a call is tried again for which the system had no thread.
RETRY = 0.1

#: In request.META, which wrappers of the request share.
CONNECTION = "dwebsocket.asgi"

#: In the same place, for a request that is plain HTTP, and may begin a session.
POLL = "dwebsocket.asgi.poll"


class Serving(Protocol):
    """The rest of the server's call, once a view has accepted the WebSocket."""

    def begin_alone(self, go_on: Callable[[], None]) -> asyncio.Task[None] | None:
        """Begin what uses the connection, a coroutine if it is one, and call this when the
        connection ends.
        """

    async def serve(self) -> None:
        """Wait until the connection has ended, and what uses it."""

    async def abandon(self) -> None:
        """End what still runs in the loop: the server's call returns."""


class TakenProtocol(Protocol):
    """Speaks WebSocket in the place of the server."""

    @property
    def may_answer(self) -> bool: ...
    async def receive(self) -> Event: ...
    async def send(self, event: Event) -> None: ...

    def answer_end(self) -> None:
        """What came before the end has been worked on."""

    def finish(self) -> None:
        """All that has used the connection has ended."""


class AsgiConnection:
    """The two callables of the server, and the event loop that they belong to.

    Attributes:
        scope: what the server knows of the connection (ASGI specification, "WebSocket").
        answering: the thread that answers the handshake.
        context: the one in which the server called us.
        is_taken: the server has nothing more to do with the connection.
        protocol: ours, if the connection has been taken into the loop, or is going to be.
        serving: what this call goes on with, once a view has accepted the WebSocket.
        since: when it came, ``time.monotonic()``.
        takeover: takes the connection from the server, which otherwise speaks the protocol.
        turns: what the coroutines of this loop share.
    """

    __slots__ = (
        "_call_queue",
        "_thread",
        "answering",
        "context",
        "is_taken",
        "loop",
        "protocol",
        "receive",
        "scope",
        "send",
        "serving",
        "since",
        "takeover",
        "turns",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, answering: Answering) -> None:
        self.answering = answering
        self.scope = scope
        self.receive = receive
        self.send = send
        self.loop = asyncio.get_running_loop()
        self._call_queue = get_call_queue(self.loop)
        self.since = monotonic()
        self.turns = get_turns(self.loop)  # here: the WebSocket is made in a thread
        self._thread = threading.get_ident()
        # Tasks keep their context: not that of whoever happens to call.
        self.context = copy_context()
        self.serving: Serving | None = None
        self.takeover: AsgiTakeover | None = None
        self.is_taken = False
        self.protocol: TakenProtocol | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether a view or handler has accepted the WebSocket."""
        return self.is_taken or self.serving is not None

    def is_in_loop(self) -> bool:
        """Whether the caller runs in the event loop, and may not wait."""
        return threading.get_ident() == self._thread

    def call(self, function: Callable[..., Any], *args: Any) -> None:
        """Have the loop call this, soon. From any thread."""
        self._call_in(self.context, function, *args)

    def call_and_wait(self, function: Callable[..., Result], *args: Any) -> Result:
        """What this returns, in the loop. From any thread."""
        if self.is_in_loop():
            return function(*args)
        outcome: Future[Result] = Future()
        try:
            self.loop.call_soon_threadsafe(settle, outcome, partial(function, *args))
        except RuntimeError as error:  # the loop is closed
            raise ConnectionAbortedError("the server has ended") from error
        return outcome.result()

    def flush_with_others(self, one: Flushing) -> None:
        """Have the loop call ``one.flush``, soon. From any thread; cheaper than ``call`` where very
        many connections do so at once.
        """
        queue = self._call_queue
        if queue.add(one):
            self._call_in(queue.context, queue.run, self.loop)

    def _call_in(self, context: Context, function: Callable[..., Any], *args: Any) -> None:
        try:
            if threading.get_ident() == self._thread:
                self.loop.call_soon(function, *args, context=context)
            else:
                self.loop.call_soon_threadsafe(function, *args, context=context)
        except RuntimeError:  # the loop is closed: the server has ended
            pass

    def start_call(self, work: Callable[[], None]) -> None:
        """Have a thread call what a handler has to do; later, if the system has none now."""
        try:
            callers.start(work)
        except NoThread:  # or the interpreter ends, and so does the loop
            self.call(self.loop.call_later, RETRY, self.start_call, work)

    def let_loop_work(self) -> None:
        """Wait, in a thread, until the loop has done what it had to do when we came."""
        work = LoopWork(self)
        self.flush_with_others(work)
        work.done.wait(MAX_LOOP_ROUND)

    def use(self, protocol: TakenProtocol) -> None:
        """Have a protocol of ours in the place of the server."""
        self.protocol = protocol
        self.receive, self.send = protocol.receive, protocol.send

    def drop_callables(self) -> None:
        """Refer to the server's callables no more: its call ends."""
        # The request, which refers to this, may last until its cycles are collected, and one server
        # closes the connection when nothing refers to its callables any more.
        del self.receive, self.send
        if self.protocol is not None and self.is_taken:
            self.protocol.finish()


class LoopWork:
    """Stands in the call queue behind what the loop has to do now.

    Attributes:
        done: it has done that.
    """

    def __init__(self, connection: AsgiConnection) -> None:
        self._connection = connection
        self.done = threading.Event()

    def flush(self) -> None:
        # The first round starts what is to be sent, the second one comes when that waits.
        self._connection.call(self._connection.call, self.done.set)


def explain(error: BaseException) -> str:
    """What a server has raised, as text; some errors of servers have none."""
    return str(error) or type(error).__name__
