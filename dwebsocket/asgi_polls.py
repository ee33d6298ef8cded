"""HTTP requests that carry a WebSocket under ASGI. They pass Django's middleware in a thread, as
handshakes do: the view of one that opens a session stays there, and one that waits for something
to say waits in the server's event loop.
"""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import Any, NamedTuple

from asgiref.sync import sync_to_async
from django.core import signals
from django.core.handlers.asgi import ASGIRequest, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import resolve, set_script_prefix

from dwebsocket import ws_urls
from dwebsocket.backends.asgi.answering import Answering
from dwebsocket.backends.asgi.connection import POLL, AsgiConnection, Receive, Scope, Send
from dwebsocket.backends.asgi.place import DeferredResponse
from dwebsocket.backends.replies import Reply
from dwebsocket.backends.view_threads import NoFurtherThread
from dwebsocket.conf import conf
from dwebsocket.running.coroutines import end_thread, own_thread
from dwebsocket.running.event_loop import call_in_loop, set_done
from dwebsocket.running.threads import NoThread, Threads
from dwebsocket.upgrade.carriers import MAX_OVERHEAD
from dwebsocket.upgrade.door import may_accept

__all__ = ["is_poll", "serve_poll"]

METHODS = ("GET", "POST", "OPTIONS")


class Answer(NamedTuple):
    """What the server is told of a response, which is closed by then.

    Attributes:
        reply: what it is going to be, if it is not yet.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    reply: Reply | None


def is_poll(scope: Scope) -> bool:
    """Whether a request is one of Engine.IO, to a view that may take it."""
    query = scope.get("query_string") or b""
    if isinstance(query, str):  # Django's test client
        query = query.encode()
    if b"EIO=" not in query or scope["method"] not in METHODS:
        return False
    try:
        request = ASGIRequest(scope, BytesIO())
        match = ws_urls.resolve(request) or resolve(request.path_info)
    except Exception:  # nothing is there, or what is wrong is told to others
        return False
    return may_accept(match.func)


async def serve_poll(
    handler: BaseHandler, threads: Threads, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer such a request.

    Args:
        handler: Django's middleware and URLconf.
        threads: in which these run.
    """
    body = await read_body(receive)
    if body is None:
        return
    answering = Answering(threads)
    connection = AsgiConnection(scope, receive, send, answering)
    respond: Any = sync_to_async(  # type: ignore[call-overload]  # any executor will do
        run_request, thread_sensitive=False, executor=answering
    )
    own_thread()
    try:
        outcome = await respond(handler, connection, body)
        answer = outcome if isinstance(outcome, Answer) else describe(outcome)
    except NoThread as error:
        text = f"{NoFurtherThread(error)}\n"
        answer = describe(HttpResponse(text, status=503, content_type="text/plain; charset=utf-8"))
    finally:
        end_thread()
    try:
        if answer.reply is not None:
            if not await wait_for(answer.reply, receive):
                return
            answer = describe(answer.reply.build())
        await send_answer(answer, send)
    finally:
        connection.drop_callables()


async def read_body(receive: Receive) -> bytes | None:
    """The body, and of one that is too long no more than tells that; ``None``: the client left."""
    most = conf.MAX_MESSAGE_SIZE * 4 // 3 + MAX_OVERHEAD
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return None
        if len(body) <= most:
            body += event.get("body", b"")[: most + 1]
        if not event.get("more_body", False):
            return bytes(body)


def run_request(handler: BaseHandler, connection: AsgiConnection, body: bytes) -> Answer:
    """Run the request, in a thread. A view that accepts goes on here, behind the answer."""
    scope = connection.scope
    set_script_prefix(get_script_prefix(scope))
    signals.request_started.send(sender=type(handler), scope=scope)
    request = ASGIRequest(scope, BytesIO(body))
    request.META["CONTENT_LENGTH"] = str(len(body))
    request.META[POLL] = connection
    response = handler.get_response(request)
    try:
        return describe(response)
    finally:
        response.close()


def describe(response: HttpResponseBase) -> Answer:
    headers = [
        (name.lower().encode("ascii"), value.encode("latin-1"))
        for name, value in response.items()
        if name.lower() != "content-length"
    ]
    headers += [
        (b"set-cookie", cookie.output(header="").strip().encode("ascii"))
        for cookie in response.cookies.values()
    ]
    body = b"" if response.streaming else b"".join(response)  # a stream may have no end
    headers.append((b"content-length", str(len(body)).encode()))
    reply = response.reply if isinstance(response, DeferredResponse) else None
    return Answer(response.status_code, headers, body, reply)


async def wait_for(reply: Reply, receive: Receive) -> bool:
    """Wait until the reply is given; ``False``: the client has left before."""
    loop = asyncio.get_running_loop()
    given = loop.create_future()
    reply.when_given(lambda: call_in_loop(loop, set_done, given))
    leaving = asyncio.ensure_future(receive())
    try:
        await asyncio.wait([given, leaving], return_when=asyncio.FIRST_COMPLETED)
        return reply.is_given
    finally:
        leaving.cancel()
        if not reply.is_given:
            reply.tell_left()


async def send_answer(answer: Answer, send: Send) -> None:
    try:
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": answer.headers,
            }
        )
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})
    except Exception:  # the client has left; not every server raises an OSError then
        pass
