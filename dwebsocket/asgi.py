"""``get_websocket_application()``: Django under ASGI, with WebSockets.

Each WebSocket becomes a request, which passes Django's middleware and its URLconf as any other, in
a thread. The request ends when a view has accepted it; the connection goes on in the same call of
the server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import cache, partial
from io import BytesIO
from time import monotonic
from typing import Any

import django
from asgiref.sync import sync_to_async
from django.core import signals
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, set_script_prefix

from dwebsocket.asgi_polls import is_poll, serve_poll
from dwebsocket.backends.asgi.answering import Answering
from dwebsocket.backends.asgi.connection import (
    CONNECTION,
    AsgiConnection,
    Event,
    Receive,
    Scope,
    Send,
)
from dwebsocket.backends.asgi.refusing import end_taken, refuse_taken
from dwebsocket.backends.asgi.servers import AsgiTakeover
from dwebsocket.backends.asgi.servers.members import end_members
from dwebsocket.backends.asgi.way import find_way
from dwebsocket.backends.view_threads import NoFurtherThread
from dwebsocket.running.call_contexts import ASIDE
from dwebsocket.running.coroutines import end_thread, own_thread
from dwebsocket.running.threads import NoThread, Threads
from dwebsocket.upgrade.caches import forbid_storing
from dwebsocket.upgrade.order import find_call_in_thread
from dwebsocket.upgrade.other_answers import tell_of_answer
from dwebsocket.ws_urls import resolve

__all__ = ["AsgiHandshakeRequest", "WebSocketApplication", "get_websocket_application"]

logger = logging.getLogger("dwebsocket.handshake")

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Servers that have this let a refusal be an ordinary HTTP response.
DENIAL = "websocket.http.response"

CALLED_AS_WSGI = (
    "This is an ASGI application, and the server has called it as a WSGI application. Start an "
    "ASGI server with it, such as `uvicorn mysite.asgi:application` or `gunicorn -k asgi "
    "mysite.asgi`, without --interface wsgi; or give a WSGI server its own: `gunicorn mysite.wsgi`"
)

NOT_UTF_8 = "The address is not UTF-8."

#: Requests of WebSockets that are answered at the same time.
MAX_HANDSHAKES = 32

#: Seconds that a handshake may wait for a thread before the log says so.
SLOW = 1.0

handshakes = Threads(MAX_HANDSHAKES, "dwebsocket-handshake")


def get_websocket_application(http_app: Application | None = None) -> WebSocketApplication:
    """What ``asgi.py`` gives to the server, in the place of Django's ``get_asgi_application()``.

    Args:
        http_app: who gets the plain HTTP requests; Django, if nobody is named.
    """
    django.setup(set_prefix=False)
    return WebSocketApplication(http_app)


class Call(partial[Awaitable[None]]):
    """The ``__call__`` of an ASGI application, which tells a WSGI server that it is one. A partial,
    since servers look whether it is a coroutine function, and look into a partial for that.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Awaitable[None]:
        try:
            return super().__call__(*args, **kwargs)
        except TypeError:  # nothing has run yet: the arguments do not fit
            if len(args) == 2:
                raise TypeError(CALLED_AS_WSGI) from None
            raise


class WebSocketApplication:
    """Django's own application, which takes WebSockets, too."""

    def __init__(self, http_app: Application | None = None) -> None:
        self._call = Call(type(self)._run, self)
        self._http_app: Application = http_app or ASGIHandler()
        # Django knows nothing of it; another application may have something to start.
        self._is_django = self._answers_lifespan = isinstance(self._http_app, ASGIHandler)
        self._handler = HandshakeHandler()

    @property
    def __call__(self) -> Application:
        """What servers call (ASGI specification, "Applications")."""
        return self._call

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            receive = partial(receive_lifespan, receive)
            if self._answers_lifespan:
                await answer_lifespan(receive, send)
            else:
                await self._http_app(scope, receive, send)
        elif scope["type"] == "http" and self._is_django and is_poll(scope):
            await serve_poll(self._handler, handshakes, scope, receive, send)
        else:
            await self._http_app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The whole life of one connection."""
        event = await receive()
        if event["type"] != "websocket.connect":
            return
        own_thread()
        answering = Answering(handshakes)
        connection = AsgiConnection(scope, receive, send, answering)
        connection.takeover = find_way(connection)
        if connection.takeover is not None and connection.takeover.is_refused:
            end_taken(connection.takeover, connection.loop)
            await leave(connection)
            return
        respond: Any = sync_to_async(  # type: ignore[call-overload]  # any executor will do
            self._handler.respond, thread_sensitive=False, executor=answering
        )
        try:
            # In a task: what the request leaves in its context would stay as long as we do.
            try:
                handshake = Handshake(respond, connection).run()
                refusal = await connection.loop.create_task(handshake)
            except NoThread as error:
                refusal = refuse_without_thread(connection, error)
        except BaseException:
            await leave(connection)
            raise
        if connection.takeover is None or connection.serving is None:
            await go_on(connection, refusal)
        else:
            go_on_alone(connection, connection.takeover)


async def go_on(connection: AsgiConnection, refusal: list[Event]) -> None:
    """What comes behind the handshake."""
    try:
        if connection.serving is not None:
            await connection.serving.serve()
        elif not connection.is_taken:
            await refuse(connection, refusal)
    finally:
        await leave(connection)


def go_on_alone(connection: AsgiConnection, takeover: AsgiTakeover) -> None:
    """The same beside the server, of which nothing is kept: its call ends."""
    assert connection.serving is not None

    def begin() -> None:
        takeover.keep_task(connection.loop.create_task(go_on(connection, [])))

    task = connection.serving.begin_alone(begin)
    if task is not None:
        takeover.keep_task(task)


async def leave(connection: AsgiConnection) -> None:
    """The end of a connection."""
    try:
        if connection.serving is not None:
            await connection.serving.abandon()
    finally:  # some servers cancel a second time
        end_thread()
        connection.drop_callables()


class Handshake(ASGIHandler):
    """The request of one connection, called as plain HTTP requests are: whoever watches requests
    (Sentry, for one) wraps the call of Django's handler, and keeps in there what is known of this
    client, not of another.
    """

    def __init__(
        self,
        respond: Callable[[AsgiConnection], Awaitable[list[Event]]],
        connection: AsgiConnection,
    ) -> None:
        self._respond = respond
        self._connection = connection

    async def run(self) -> list[Event]:
        """As ``HandshakeHandler.respond``."""
        # Not the callables of the server, which nobody may keep.
        scope = {**self._connection.scope, "type": "http", "method": "GET"}
        await self(scope, receive_nothing, send_nowhere)
        return self._refusal

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What Django's ``__call__`` calls."""
        refusal = self._refusal = await self._respond(self._connection)
        status = refusal[0].get("status", 403) if refusal else 101
        await send({"type": "http.response.start", "status": status, "headers": []})


async def receive_nothing() -> Event:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send_nowhere(event: Event) -> None:
    """Take an event and do nothing with it: whoever watches the request has seen it."""


class AsgiHandshakeRequest(ASGIRequest):
    """The request of a WebSocket: a GET request without a body."""

    def __init__(self, scope: Scope, body_file: Any) -> None:
        super().__init__(scope, body_file)
        self._body = b""  # a view may ask for it when the request has ended, and its file is closed

    def _get_scheme(self) -> str | None:
        return "https" if self.scope.get("scheme") == "wss" else "http"


class HandshakeHandler(BaseHandler):
    """Middleware, URLconf and view of the requests of WebSockets.

    All of it in one thread: most middleware is synchronous, and to change over to a thread and
    back for each costs more than all the rest.
    """

    def __init__(self) -> None:
        self.load_middleware()

    def respond(self, connection: AsgiConnection) -> list[Event]:
        """Run the request. Then a view or handler has accepted it, or these events refuse it. A
        view that accepts lets the server go on, and stays.
        """
        aside = connection.scope.get(ASIDE)
        if aside is None:
            return self._respond(connection)
        aside.begin()
        try:
            with aside.enter():
                return self._respond(connection)
        finally:
            aside.end()

    def _respond(self, connection: AsgiConnection) -> list[Event]:
        if monotonic() - connection.since > SLOW:
            tell_busy()
        set_script_prefix(get_script_prefix(connection.scope))
        # Receivers take it for a request's. One of them for all who keep it.
        scope = connection.scope = {**connection.scope, "method": "GET"}
        signals.request_started.send(sender=self.__class__, scope=scope)
        try:
            request = AsgiHandshakeRequest(scope, BytesIO())
        except UnicodeDecodeError:
            logger.warning("WebSocket refused with 400: %s", NOT_UTF_8)
            response: HttpResponseBase = HttpResponse(
                NOT_UTF_8 + "\n", status=400, content_type="text/plain; charset=utf-8"
            )
        else:
            request.META[CONNECTION] = connection
            if offered := scope.get("subprotocols"):  # one server keeps the header back
                request.META.setdefault("HTTP_SEC_WEBSOCKET_PROTOCOL", ", ".join(offered))
            if ASIDE in scope:
                request.META[ASIDE] = scope[ASIDE]
            response = self.get_response(request)
            if not connection.is_accepted:
                passed = passes_on(response, connection)
                tell_of_answer(request, response, None if passed else 403)
        try:
            return [] if connection.is_accepted else as_refusal(response, connection)
        finally:
            response.close()

    def make_view_atomic(self, view: Any) -> Any:
        """What calls the view, here in a thread."""
        return find_call_in_thread(super().make_view_atomic(view))

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        """Find the view."""
        return resolve(request) or super().resolve_request(request)


def refuse_without_thread(connection: AsgiConnection, error: NoThread) -> list[Event]:
    """The refusal of a handshake that no thread can answer."""
    shortage = NoFurtherThread(error)
    if shortage.is_news():
        logger.error("WebSocket refused with 503: %s", shortage)
    response = HttpResponse(f"{shortage}\n", status=503, content_type="text/plain; charset=utf-8")
    return as_refusal(response, connection)


def as_refusal(response: HttpResponseBase, connection: AsgiConnection) -> list[Event]:
    """The events that answer a handshake with an HTTP response, and see to it that no request is
    read behind it; with 403 where the client cannot get it.
    """
    if not passes_on(response, connection):
        return [{"type": "websocket.close"}]
    forbid_storing(response)
    if response.streaming:  # it may have no end, and is left out
        response.headers.pop("Content-Length", None)
    if connection.scope.get("http_version", "1.1") == "1.1":
        response.headers["Connection"] = "close"
    body = b"" if response.streaming else b"".join(response)
    headers = [
        (name.lower().encode("ascii"), value.encode("latin-1")) for name, value in response.items()
    ]
    headers += [
        (b"set-cookie", cookie.output(header="").strip().encode("ascii"))
        for cookie in response.cookies.values()
    ]
    status = response.status_code
    return [
        {"type": "websocket.http.response.start", "status": status, "headers": headers},
        {"type": "websocket.http.response.body", "body": body, "more_body": False},
    ]


def passes_on(response: HttpResponseBase, connection: AsgiConnection) -> bool:
    """Whether the client gets this answer: not where the server has no way for one, nor in HTTP/2
    if it would accept the WebSocket, as any 2xx does (RFC 8441, section 5).
    """
    if connection.takeover is not None:
        return True
    scope = connection.scope
    http_version = scope.get("http_version", "1.1")
    accepts = http_version.startswith("2") and 200 <= response.status_code < 300
    return not accepts and DENIAL in (scope.get("extensions") or {})


@cache
def tell_busy() -> None:
    """Say once in the log that handshakes wait for each other."""
    logger.warning(
        "All %d threads in which WebSockets are accepted have been busy for %s seconds, and others "
        "wait: middleware, or a view with auto_accept=False, takes its time before it accepts",
        MAX_HANDSHAKES,
        SLOW,
    )


async def refuse(connection: AsgiConnection, refusal: list[Event]) -> None:
    if connection.takeover is not None:
        refuse_taken(connection.takeover, refusal, connection.loop)
        return
    try:
        for event in refusal:
            await connection.send(event)
        await asyncio.sleep(0)  # one server takes notice of it in its loop's next round
    except Exception:  # the client has left; not every server raises an OSError then
        pass


async def receive_lifespan(receive: Receive) -> Event:
    """What the server says; that it ends when WebSockets that it does not wait for have ended."""
    event = await receive()
    if event["type"] == "lifespan.shutdown":
        await end_members()
    return event


async def answer_lifespan(receive: Receive, send: Send) -> None:
    """Tell the server that nothing is to be done at its start and at its end."""
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
