"""``WebSocketHandler``: called when something happens, and holding nothing while idle."""

from __future__ import annotations

import json
from asyncio import iscoroutine
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asgiref.sync import async_to_sync
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.generic import View

from dwebsocket.conf import conf
from dwebsocket.groups import People
from dwebsocket.handover import take_part
from dwebsocket.html import AnyTemplate
from dwebsocket.http import WebSocket, WebSocketRequest
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.messages import BytesLike, Message
from dwebsocket.running.database import EveryDatabase
from dwebsocket.upgrade.async_handler import NOTHING, as_coroutine, empty, log
from dwebsocket.upgrade.attachment import attach, is_upgraded
from dwebsocket.upgrade.caches import vary_on_upgrade
from dwebsocket.upgrade.door import NEEDS_NO_THREAD
from dwebsocket.upgrade.handler import log_failure
from dwebsocket.upgrade.handshake import HandshakeOptions
from dwebsocket.upgrade.hints import tell_of_names
from dwebsocket.upgrade.lost_upgrade import tell_if_lost
from dwebsocket.upgrade.methods import (
    HOOKS,
    check_dispatch,
    check_hooks,
    check_resumable,
    check_subprotocols,
    is_async,
)
from dwebsocket.upgrade.opening import as_opening
from dwebsocket.upgrade.order import call_async_handler, call_handler
from dwebsocket.upgrade.refusals import end_connection_behind
from dwebsocket.upgrade.tasks import TASK_DUPLICATE_STARTED, TASK_WS_CLOSED, HandlerTasks

__all__ = [
    "TASK_DUPLICATE_STARTED",
    "TASK_WS_CLOSED",
    "BaseWebSocketHandler",
    "Delivery",
    "JsonWebSocketHandler",
    "WebSocketHandler",
]

NOT_JSON = "not JSON"


class Delivery:
    """What was sent is on its way. Awaited, it waits until the server has taken it."""

    __slots__ = ("_websocket",)

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    def __await__(self) -> Generator[Any, None, None]:
        return self._websocket.adrain().__await__()


class BaseWebSocketHandler(HandlerTasks, View):
    """``WebSocketHandler``, but for what is called first."""

    subprotocols: ClassVar[Sequence[str]] = ()
    fallback: bool = True
    presence_limit: int | None = 1000
    keep_request: bool = True
    resumable: ClassVar[bool | None] = None
    websocket: WebSocket
    request: WebSocketRequest
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    #: What its methods are called with.
    _hooks_given: ClassVar[Mapping[str, tuple[str, ...]]] = HOOKS

    _failure: BaseException | None = None
    _path: str = "(an address that its handler has thrown away)"

    # What you write. What a plain method returns is not looked at, a coroutine is awaited.

    @as_opening
    def on_resume(self, state: dict[str, Any]) -> Any:
        """The connection goes on in this process, in a new instance, in the place of ``on_open``:
        ``state`` is what the old one's ``get_state`` returned. The request, its session and its
        user are fresh. Unless it is written, ``on_open`` is called.
        """
        return self._get_opening()()

    def get_state(self) -> dict[str, Any]:
        """What ``on_resume`` is to know when the connection goes on in another process: a
        dictionary, at most 64 KiB of JSON. Called when no other method runs, and behind it none is
        called any more, not even ``on_close``, unless nobody takes the connection after all.
        """
        return {}

    @empty
    def on_message(self, message: str | bytes) -> Any:
        """A message has come: ``str`` for text, ``bytes`` for binary."""
        return NOTHING

    @empty
    def on_close(self) -> Any:
        """The connection has ended, for whatever reason; ``self.websocket.close_code`` tells.
        Called once for every ``on_open`` that began.
        """
        return NOTHING

    @empty
    def on_error(self, error: Exception) -> Any:
        """``on_open`` or ``on_message`` raised ``error``, which is logged; a Close with 1011
        follows.
        """
        return NOTHING

    @empty
    def on_presence(self, joined: People, left: People) -> Any:
        """Somebody has come to a group of this WebSocket, or has gone, or has another info. Called
        once a second at most for a group; the first call tells of all who are present. Where they
        are more than ``presence_limit`` both are empty.
        """
        return NOTHING

    @empty
    def on_history_lost(self, group: str) -> Any:
        """What was sent to the group of this name has not come, and is not in its history any
        more.
        """
        return NOTHING

    # What you call

    def send(self, message: str | BytesLike) -> Delivery:
        """Send ``str`` as text, bytes-like as binary. Never waits: what the socket does not take at
        once waits in memory, up to ``WEBSOCKET_MAX_SEND_BUFFER``.

        Raises:
            ConnectionClosed: the connection is closed, or was now, since the peer reads too slowly.
        """
        self.websocket.send(message)
        return Delivery(self.websocket)

    def send_json(self, obj: Any) -> Delivery:
        """Send ``obj`` as JSON text."""
        self.websocket.send_json(obj)
        return Delivery(self.websocket)

    def send_html(
        self,
        template: AnyTemplate,
        context: dict[str, Any] | None = None,
        request: HttpRequest | None = None,
        *,
        engine: str | None = None,
    ) -> Delivery:
        """Send what a template makes of ``context``, as text: see ``WebSocket.send_html``. In a
        coroutine the template must not query the database: there ``websocket.asend_html`` is for
        those that do.
        """
        self.websocket.send_html(template, context, request, engine=engine)
        return Delivery(self.websocket)

    def close(self, code: int = 1000, reason: str = "") -> Delivery:
        """Close the connection, without waiting for the peer; ``on_close`` is called in the end."""
        self.websocket.close(code, reason)
        return Delivery(self.websocket)

    @property
    def connected(self) -> bool:
        """Whether the connection is open."""
        return self.websocket.connected

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self.websocket.closed

    @property
    def redelivered(self) -> bool:
        """Whether a process that was killed may have worked on the present message."""
        return self.websocket._redelivered  # type: ignore[attr-defined,no-any-return]

    # What Django calls

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args:
            name, got = type(self).__qualname__, type(args[0]).__name__
            raise TypeError(
                f"{name} was called with {got}, as a view is: path() takes {name}.as_view(), not "
                "the class"
            )
        super().__init__(**kwargs)

    #: The view is a plain function: mixins are made for that.
    view_is_async = False

    @classmethod
    def as_view(cls, *args: Any, **initkwargs: Any) -> Callable[..., HttpResponseBase]:
        """The view for ``path()``.

        Raises:
            ImproperlyConfigured: a method cannot be called as it is written.
            TypeError: arguments, or ``subprotocols``, of the wrong kind.
        """
        if args:
            raise TypeError(
                f"{cls.__qualname__}.as_view() was called with {type(args[0]).__name__}: path() "
                f"takes {cls.__qualname__}.as_view(), with its parentheses"
            )
        check_dispatch(cls)
        check_hooks(cls)
        usual = issubclass(cls, WebSocketHandler)
        tell_of_names(cls, WebSocketHandler if usual else BaseWebSocketHandler, HOOKS)
        check_resumable(cls)
        check_subprotocols(cls, initkwargs.get("subprotocols", cls.subprotocols))
        inner = super().as_view(**initkwargs)

        def view(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            return enter(inner, request, args, kwargs)

        view.__dict__.update(inner.__dict__)
        view.__doc__, view.__module__ = cls.__doc__, cls.__module__
        made: Any = view
        made.accept_websocket = made.require_websocket = made.handles_websocket = True
        setattr(made, NEEDS_NO_THREAD, True)
        # A transaction around the handshake would protect nothing that a handler does later.
        made._non_atomic_requests = EveryDatabase()
        return view

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """The opening handshake. Mixins that refuse a request do so in front of it."""
        self._path = request.path
        is_handshake = attach(request)
        if not is_handshake and hasattr(self, "get"):
            tell_if_lost(request, type(self))
            return super().dispatch(request, *args, **kwargs)
        options = HandshakeOptions(True, tuple(self.subprotocols), fallback=self.fallback)
        if not is_async(self):
            if is_handshake and self._is_resumable():
                take_part()
            return call_handler(request, self, options)
        if is_handshake:
            look_up_user(request)
        return call_async_handler(request, self, options)

    # What the connection calls

    @classmethod
    def _is_resumable(cls) -> bool:
        """Whether its connections may go to another process."""
        wanted = conf.HANDOVER if cls.resumable is None else cls.resumable
        return wanted and not is_async(cls)

    def _get_opening(self) -> Callable[[], Any]:
        """The function that is called when the connection opens."""
        raise NotImplementedError

    def _get_receiver(self) -> Callable[[Message], Any]:
        """The function that gets each message."""
        return self.on_message


class WebSocketHandler(BaseWebSocketHandler):
    """A class-based view for WebSockets: one instance for each connection.

    The methods below are called one after the other, never two at once; those of different
    connections run side by side. Each runs in the context of the request. Whatever one raises is
    logged as the error of a view, and closes its connection with 1011.

    Any of them may be ``async def``. Then all are called in an event loop, plain ones in a thread
    of it, after the request has ended, and the handler may have tasks.

    Attributes:
        subprotocols: those it speaks, the preferred first.
        fallback: whether HTTP polls carry it where no WebSocket gets through.
        presence_limit: up to so many keys ``on_presence`` is told of; ``None``: however many.
        resumable: whether the connection goes on in another process when this one ends;
            ``None``: as ``WEBSOCKET_HANDOVER`` says. Not for handlers with ``async def`` methods.
        keep_request: ``False`` gives the request's memory back after ``on_open``; then
            ``self.request`` has ``user`` and ``path`` only.
        websocket: the WebSocket; ``send`` may be called from any thread, at any time.
    """

    @empty
    def on_open(self) -> Any:
        """The connection is open. Called in the request, whose middleware is still around it."""
        return NOTHING

    def _get_opening(self) -> Callable[[], Any]:
        return self.on_open


def enter(inner: Callable[..., Any], request: HttpRequest, args: Any, kwargs: Any) -> Any:
    """Call a handler's view. Whoever refuses the request, mixins for instance, does so in here."""
    is_handshake = attach(request)
    try:
        response = inner(request, *args, **kwargs)
        if iscoroutine(response):  # get() for plain HTTP may be async
            response = async_to_sync(wait_for)(response)
    except Exception:  # PermissionDenied
        if not is_upgraded(request):
            end_connection_behind(request)
        raise
    if not is_handshake:
        return vary_on_upgrade(response)
    if not is_upgraded(request):
        end_connection_behind(request, response)
    return response


async def wait_for(response: Awaitable[Any]) -> Any:
    return await response


def look_up_user(request: HttpRequest) -> None:
    """``request.user`` asks the database when it is first looked at, which no coroutine may do."""
    user = getattr(request, "user", None)
    if user is not None:
        bool(user.is_authenticated)


class JsonWebSocketHandler(WebSocketHandler):
    """JSON in both directions: ``on_message`` gets what a message holds, ``send`` takes what one is
    to hold. What is not JSON goes to ``on_error``, and the connection is closed with 1007.
    """

    if TYPE_CHECKING:

        def on_message(self, message: Any) -> Any:
            """A message has come: what its JSON holds."""

    def send(self, message: Any) -> Delivery:
        """Send ``message`` as JSON text; otherwise as ``WebSocketHandler.send``."""
        return self.send_json(message)

    def _get_receiver(self) -> Callable[[Message], Any]:
        return self._adecode if is_async(self) else self._decode

    def _decode(self, message: Message) -> None:
        try:
            content = json.loads(message)
        except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
            try:
                self.on_error(error)
            except Exception as further:
                log_failure(self, further)
            self.close(CloseCode.INVALID_DATA, NOT_JSON)
        else:
            self.on_message(content)

    async def _adecode(self, message: Message) -> None:
        try:
            content = json.loads(message)
        except (ValueError, RecursionError) as error:
            try:
                await as_coroutine(self.on_error)(error)
            except Exception as further:
                await log(self, further)
            await self.close(CloseCode.INVALID_DATA, NOT_JSON)
        else:
            await as_coroutine(self.on_message)(content)
