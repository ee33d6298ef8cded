"""A handler and its WebSocket: what happens on the connection becomes calls of the handler.

Every call runs as in the request: in its context (translation, time zone, …), errors are logged as
those of a view, and database connections are its own and closed afterwards. No error gets past
here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from copy import copy
from functools import partial
from typing import Any, Protocol

from django.http import HttpRequest
from django.utils.functional import LazyObject

from dwebsocket.protocol.frames import CloseCode
from dwebsocket.running import database
from dwebsocket.running.call_contexts import CallContexts, NotEntered
from dwebsocket.running.context import NOTHING, RequestContext, capture_context
from dwebsocket.supervisor import ends_process
from dwebsocket.upgrade.connection_log import tell_ended
from dwebsocket.upgrade.error_log import log_error, show_error, tells_end
from dwebsocket.upgrade.hints import tell_hint
from dwebsocket.upgrade.hooks import Turns, hears
from dwebsocket.upgrade.kept_facts import Facts, PackedFacts, find_facts
from dwebsocket.upgrade.lost_changes import tell_of_unsaved
from dwebsocket.upgrade.opening import find_opening
from dwebsocket.websocket import BaseWebSocket, Message

__all__ = ["Handler", "HandlerCalls", "KeptRequest", "keep", "log_failure"]


class Handler(Protocol):
    """The methods of a handler that are called; ``WebSocketHandler`` says when."""

    _path: str  # of its request
    keep_request: bool
    presence_limit: int | None
    request: Any
    websocket: Any  # a BaseWebSocket, of which a handler shows less

    def _is_resumable(self) -> bool: ...
    def _get_opening(self) -> Callable[[], Any]: ...
    def on_resume(self, state: Any) -> Any: ...
    def get_state(self) -> Any: ...
    def _get_receiver(self) -> Callable[[Message], Any]: ...
    def on_close(self) -> Any: ...
    def on_error(self, error: Any) -> Any: ...
    def on_presence(self, joined: Any, left: Any) -> Any: ...
    def on_history_lost(self, group: str) -> Any: ...


class KeptRequest:
    """What is left of a request that a handler does not keep.

    Args:
        names: further attributes that are kept, if they are there.
    """

    __slots__ = ("_kept", "path", "user")

    def __init__(self, request: HttpRequest, names: Iterable[str] = ()) -> None:
        self.path = request.path
        user = getattr(request, "user", None)
        # Django's is lazy, and holds the request: looked at, it can be copied without that.
        self.user = copy(user) if user is not None and user.pk is not Ellipsis else None
        kept = {name: looked_at(getattr(request, name)) for name in names if hasattr(request, name)}
        self._kept: dict[str, Any] | None = kept or None

    def __getattr__(self, name: str) -> Any:
        kept = None if name == "_kept" else self._kept
        if kept is not None and name in kept:
            return kept[name]
        raise AttributeError(
            f"request.{name} is gone: with keep_request = False only request.user and request.path "
            "are left after on_open(). Keep what you need on self, or keep the request."
        )


def looked_at(value: Any) -> Any:
    """The same; without the request, which what is lazy holds."""
    return copy(value) if isinstance(value, LazyObject) and value.__class__ else value


class HandlerCalls:
    """The ``Listener`` of one WebSocket, on behalf of its handler."""

    __slots__ = (
        "_context",
        "_contexts",
        "_facts",
        "_handler",
        "_turns",
        "_websocket",
        "calls_anew",
        "stalled",
    )

    _context: RequestContext
    _contexts: CallContexts | None  # around all calls but on_open()
    _turns: Turns | None  # of those that groups call, too

    def __init__(
        self, handler: Handler, websocket: BaseWebSocket, contexts: CallContexts | None = None
    ) -> None:
        self._handler = handler
        # Kept here, too: a handler may do what it wants with its attributes.
        handler.websocket = self._websocket = websocket
        websocket._origin = self
        self._contexts = contexts
        self._turns = Turns(handler, self._call_next) if hears(handler) else None
        if self._turns is not None:
            websocket._hooks = self._turns
        self.calls_anew = self.stalled = False
        self._facts: PackedFacts | None = None  # once the request is gone

    @property
    def served(self) -> tuple[Any, str, Any]:
        """For those who ask who is connected: see ``Origin``."""
        return getattr(self._handler, "request", None), "handler", type(self._handler)

    def get_state(self) -> Any:
        """What the handler wants to be known where its connection goes on."""
        return self._context.copy_for_thread().run(self._call_in_turn, self._handler.get_state)

    # While its connection goes to another process: nothing else is called

    def pause(self, timeout: float) -> bool:
        """Have groups call nothing; whether what they are calling has ended in time."""
        return self._turns is None or self._turns.pause(timeout)

    def go_on(self) -> None:
        """It stays here."""
        if self._turns is not None:
            self._turns.go_on()

    def take_state(self) -> Any:
        """``get_state``, when nothing else runs.

        Raises:
            Exception: whatever it raises.
        """
        return self._context.copy_for_thread().run(self._call, self._handler.get_state)

    def leave(self) -> None:
        """Another process goes on with it."""
        if self._turns is not None:
            self._turns.stop()
            self._turns.go_on()
        if self._contexts is not None:
            self._contexts.end()

    @property
    def handler(self) -> Handler:
        """Whose calls these are."""
        return self._handler

    @property
    def is_resumable(self) -> bool:
        """Whether it wants its connection to go on in another process."""
        return self._handler._is_resumable()

    def find_facts(self) -> Facts | None:
        """What is known of its request; ``None``: it has thrown that away."""
        if self._facts is not None:
            return self._facts.unpack()
        return find_facts(getattr(self._handler, "request", None))

    def hold(self, request: HttpRequest) -> None:
        """Make all calls in this thread, where the server does not let go of the
        connection.
        """
        # A session calls this as a view: the request, which the handler has already, is not used.
        try:
            self.open()
            context = copy_context()  # with all of its locals: here they are in their thread
            if self._turns is not None:
                self._context = capture_context(plain=True)
                self._turns.begin()
            for message in self._websocket:
                self._receive_one(message, context.copy())
        finally:
            self._close()

    def begin(self) -> None:
        """All is open: groups may call, too."""
        if self._turns is not None:
            self._turns.begin()

    def open(self) -> None:
        """Call ``on_open``, or ``on_resume``, in the request."""
        try:
            find_opening(self._handler, self._websocket)()
            if not self._handler.keep_request:
                self._pack_facts()
                keep(self._handler, self._contexts)
        except BaseException as error:  # gevent's and eventlet's Timeout are no Exception
            if ends_process(error):
                raise
            self._fail(error)

    def _pack_facts(self) -> None:
        facts = find_facts(self._handler.request) if self.is_resumable else None
        self._facts = None if facts is None else PackedFacts(facts)

    def leave_request(self) -> None:
        """Keep the context of the request, which ends: what is called from now on runs in it. Never
        raises.
        """
        try:
            self._context = capture_context(plain=True)
        except Exception as error:  # the file of a time zone cannot be read
            self._context = NOTHING
            self._fail(error)
        if self._contexts is not None:
            self._contexts.begin()

    def _receive_one(self, message: Message, context: Context) -> None:
        try:
            context.run(self._call_in_turn, self._handler._get_receiver(), message)
        except BaseException as error:  # gevent's and eventlet's Timeout are no Exception
            if ends_process(error):
                raise
            context.run(self._fail, error)

    # The Listener

    def receive(self, messages: list[Message]) -> None:
        touched = database.touched
        copy_for_thread = self._context.copy_for_thread
        on_message = self._handler._get_receiver()
        if self._contexts is not None:
            on_message = partial(self._contexts.run, on_message)
        if self._turns is not None:
            on_message = partial(self._turns.run, on_message)
        context = None
        try:
            while messages:
                if context is None or len(context):  # otherwise the last call has left it empty
                    context = copy_for_thread()
                try:
                    context.run(on_message, messages.pop())
                except BaseException as error:  # gevent's and eventlet's Timeout are no Exception
                    self._let_pass(error)
                    context.run(self._fail, error)
                if self.stalled:
                    break
        finally:
            if database.touched != touched:
                database.forget_all()

    def end(self) -> None:
        touched = database.touched
        try:
            self._context.copy_for_thread().run(self._end)
            tell_of_unsaved(getattr(self._handler, "request", None))
        finally:
            if database.touched != touched:
                database.forget_all()
            if self._contexts is not None:
                self._contexts.end()

    def _end(self) -> None:
        self._close()
        tell_ended(self._websocket)

    # What groups call

    def _call_next(self) -> bool:
        context = self._context.copy_for_thread()
        try:
            return bool(context.run(self._call_in_turn, self._call_hook))
        except BaseException as error:
            self._let_pass(error)
            context.run(self._fail, error)
            return False

    def _call_hook(self) -> bool:
        """Call the next one; whether there was one."""
        turns = self._turns
        if turns is None:
            return False
        if self._websocket._has_ended:
            turns.stop()
        found = turns.take()
        if found is not None:
            hook, given = found
            getattr(self._handler, hook)(*given)
        return found is not None

    # All calls

    def _call_in_turn(self, function: Callable[..., Any], *args: Any) -> Any:
        if self._turns is None:
            return self._call(function, *args)
        return self._turns.run(self._call, function, *args)

    def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        if self._contexts is None:
            return function(*args)
        return self._contexts.run(function, *args)

    def _close(self) -> None:
        if self._turns is not None:
            self._turns.stop()
        try:
            self._call_in_turn(self._handler.on_close)
        except BaseException as error:
            self._let_pass(error)
            log_failure(self._handler, error)

    def _let_pass(self, error: BaseException) -> None:
        """A signal's handler runs in whatever greenlet the main thread is in, and ends the process
        so. A thread of the loop has nobody to tell.
        """
        if self.calls_anew and isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise error

    def _fail(self, error: BaseException) -> None:
        """End the connection of a handler that raised, and no other."""
        websocket = self._websocket
        if self._turns is not None:
            self._turns.stop()
        if tells_end(error):
            websocket.close()
            return
        if isinstance(error, NotEntered):
            log_failure(self._handler, error)
        else:
            self._tell(error)
        show_error(websocket, error)
        websocket.close(CloseCode.INTERNAL_ERROR)

    def _tell(self, error: BaseException) -> None:
        try:
            self._call_in_turn(self._log_and_tell, error)
        except BaseException as further:
            self._let_pass(further)
            if isinstance(further, NotEntered):
                log_failure(self._handler, error)
            log_failure(self._handler, further)

    def _log_and_tell(self, error: BaseException) -> None:
        log_failure(self._handler, error)
        self._handler.on_error(error)


def keep(handler: Handler, contexts: CallContexts | None) -> None:
    """Give the handler's request back, but for what is kept of it."""
    kept = KeptRequest(handler.request, () if contexts is None else contexts.kept)
    handler.request = kept
    if contexts is not None:
        contexts.request = kept


def log_failure(handler: Handler, error: BaseException) -> None:
    """Log what a handler has raised, as the error of a view."""
    if tells_end(error):  # it had something to say
        return
    try:
        request = handler.request
    except Exception:  # it may have thrown that away
        request = None
    log_error(request if isinstance(request, HttpRequest) else None, handler._path, error)
    tell_hint(None, handler._path, error)
