"""Requests of Engine.IO at the address of a view or handler: those of a session that is there
already are answered here, in the place of the view; what opens a session goes on as a handshake.

Middleware and the decorators above ours have seen each of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, partial

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from dwebsocket.backends import MADE, get_factory
from dwebsocket.backends.query import is_engine
from dwebsocket.backends.replies import Reply
from dwebsocket.backends.sessions.answers import (
    JSON,
    allow_origin,
    build_preflight,
    describe,
    renderer,
)
from dwebsocket.backends.sessions.carriers import SessionEnd
from dwebsocket.backends.sessions.claims import (
    Claim,
    HasLeft,
    Owner,
    Refused,
    carry,
    check_return,
    find_claimed,
    poll,
    post,
    wait_until_settled,
)
from dwebsocket.backends.sessions.elsewhere import Elsewhere, SessionElsewhere, find_elsewhere
from dwebsocket.backends.sessions.factory import SessionFactory
from dwebsocket.backends.sessions.opening import OWNER, Connection
from dwebsocket.backends.sessions.relay import join
from dwebsocket.backends.sessions.session import Session
from dwebsocket.backends.sessions.transit import IsLeaving
from dwebsocket.conf import conf
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.protocol.exceptions import InvalidHandshake
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.upgrade.attachment import MARK
from dwebsocket.upgrade.csrf import check_source
from dwebsocket.upgrade.refusals import refuse, refuse_for

__all__ = ["MAX_OVERHEAD", "answer_carrier"]

#: Bytes of the body of a POST besides a message of the greatest size, which may be base64.
MAX_OVERHEAD = 65536

#: Digits of the longest length that is compared with that.
MAX_DIGITS = 18


def answer_carrier(request: HttpRequest, *, fallback: bool) -> HttpResponse | None:
    """The answer to a request of Engine.IO, in a thread; ``None``: it opens a session, or is none.

    Args:
        fallback: whether the view takes polls.
    """
    if not is_engine(request) or MADE in request.META:  # it was opened in another process
        return None
    try:
        return find_answer(request, fallback=fallback)
    except Refused as error:
        return refuse_carrier(request, error)
    except (InvalidHandshake, SocketTakeoverError) as error:
        return refuse_for(request, error)


def find_answer(request: HttpRequest, *, fallback: bool) -> HttpResponse | None:
    factory = get_factory(request)
    assert isinstance(factory, SessionFactory)
    check_source(request)  # first: only who may connect can read the answers
    check_query(request, factory, fallback=fallback)
    if request.method == "OPTIONS":
        return build_preflight(request)
    check_method(request, factory)
    owner = request.META[OWNER] = find_owner(request)
    claim = read_claim(request, owner)
    answer = None if claim is None else answer_claim(request, factory, claim)
    if answer is None:
        join()  # before others can know the sid
    return answer


# What is asked


def check_query(request: HttpRequest, factory: SessionFactory, *, fallback: bool) -> None:
    """Look at what the query says of the protocol and of the transport."""
    query = request.GET
    if query.get("EIO") != "4":
        raise Refused(5, "Unsupported protocol version", "EIO is not 4.")
    transport = query.get("transport")
    if transport not in ("polling", "websocket"):
        raise Refused(0, "Transport unknown", "The transport is neither polling nor websocket.")
    if transport == "polling" and not (fallback and conf.FALLBACK):
        raise Refused(0, "Transport unknown", "This address takes no polls (WEBSOCKET_FALLBACK).")
    if (transport == "websocket") != factory.is_upgrade:
        raise Refused(
            3,
            "Bad request",
            "transport=websocket is for WebSocket handshakes, and for nothing else: has a proxy "
            "dropped the Upgrade header?",
        )
    if "j" in query:
        raise Refused(3, "Bad request", "JSONP is not supported.")


def check_method(request: HttpRequest, factory: SessionFactory) -> None:
    methods = ("GET",) if "sid" not in request.GET or factory.is_upgrade else ("GET", "POST")
    if request.method not in methods:
        raise Refused(2, "Bad handshake method", f"The method is {request.method}.")


def find_owner(request: HttpRequest) -> Owner:
    """Whose the request is. Asks the database, as ``request.user`` does."""
    user = getattr(request, "user", None)
    known = str(user.pk) if user is not None and user.is_authenticated else None
    cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME) or None
    digest = cookie and salted_hmac("dwebsocket.session", cookie).hexdigest()
    return Owner(request.path, known, digest)


def read_claim(request: HttpRequest, owner: Owner) -> Claim | None:
    """What the request says of its session; ``None``: it opens one."""
    query = request.GET
    sid = query.get("sid")
    if sid is None:
        return None
    received = query.get("received")
    may_open = request.method == "GET" and received is not None
    return Claim(sid, owner, may_open, received, query.get("after", ""), query.get("sent", ""))


# What is answered


def answer_claim(
    request: HttpRequest, factory: SessionFactory, claim: Claim
) -> HttpResponse | None:
    """The answer to a request of a session; ``None``: a new one is to be opened."""
    read = cache(partial(read_body, request))  # once, however often it has to be looked for
    while True:
        try:
            elsewhere = find_elsewhere(claim)
            if elsewhere is not None:
                return answer_elsewhere(request, factory, elsewhere, read)
            return answer_here(request, factory, claim, read)
        except IsLeaving:
            wait_until_settled(claim, factory.find_place().create_lock)
        except HasLeft:  # it has gone from here, or come, just now
            pass


def answer_here(
    request: HttpRequest, factory: SessionFactory, claim: Claim, read: Callable[[], bytes]
) -> HttpResponse | None:
    """The same, of a session that nobody else may hold."""
    session = find_claimed(claim)
    if session is None:
        return None
    if factory.is_upgrade:
        return connect_here(request, factory, claim, session)
    reply = Reply(renderer(request))
    if request.method == "POST":
        post(session, claim, read(), reply)
    else:
        poll(session, claim, reply)
    return respond(factory, reply)


def answer_elsewhere(
    request: HttpRequest, factory: SessionFactory, elsewhere: Elsewhere, read: Callable[[], bytes]
) -> HttpResponse | None:
    """The same, of a session that another process may hold."""
    create_lock = factory.find_place().create_lock
    if factory.is_upgrade:
        found = elsewhere.connect(create_lock)
        return None if found is None else connect_elsewhere(request, factory, *found)
    reply = Reply(renderer(request))
    if request.method == "POST":
        elsewhere.post(read(), reply)
    elif not elsewhere.poll(reply, create_lock):
        return None
    return respond(factory, reply)


def respond(factory: SessionFactory, reply: Reply) -> HttpResponse:
    return reply.build() if reply.is_given else factory.defer(reply)


def connect_here(
    request: HttpRequest, factory: SessionFactory, claim: Claim, session: Session
) -> HttpResponse:
    """A WebSocket: it comes back, or asks whether it may carry on."""
    received = check_return(session, claim)
    connection = accept(
        request, factory, session, session.protocol if received is not None else None
    )
    carry(session, connection.carrier, received)
    return connection.start() or HttpResponse(status=101)


def connect_elsewhere(
    request: HttpRequest, factory: SessionFactory, session: SessionElsewhere, protocol: str | None
) -> HttpResponse:
    """The same, of a session that another process holds."""
    try:
        connection = accept(request, factory, session, protocol)
    except BaseException:
        session.end(CloseCode.ABNORMAL_CLOSURE, "")
        raise
    session.begin(connection.carrier)
    return connection.start() or HttpResponse(status=101)


def accept(
    request: HttpRequest, factory: SessionFactory, session: SessionEnd, protocol: str | None
) -> Connection:
    """Answer the handshake of a WebSocket that is to carry a session."""
    factory.check_handshake()
    websocket = factory.server.create_websocket()
    assert websocket is not None  # the request asks for one
    connection = Connection(session, request, factory.find_place(), websocket)
    connection.accept(protocol, {})
    request.META[MARK] = websocket  # the request has become a WebSocket
    return connection


def read_body(request: HttpRequest) -> bytes:
    """The body, unless it is too long."""
    most = conf.MAX_MESSAGE_SIZE * 4 // 3 + MAX_OVERHEAD
    length = request.META.get("CONTENT_LENGTH") or ""
    if not (length.isascii() and length.isdigit() and len(length) <= MAX_DIGITS):
        raise Refused(3, "Bad request", "A POST says how long its body is (Content-Length).", 411)
    if int(length) > most:
        raise Refused(3, "Bad request", f"The body is longer than {most} bytes.", 413)
    try:
        body: bytes = request.read(int(length))
    except OSError as error:  # UnreadablePostError: the client has left
        raise Refused(
            3, "Bad request", f"The body breaks off: {error}.", level=logging.DEBUG
        ) from error
    if len(body) < int(length):
        raise Refused(
            3, "Bad request", "The body is shorter than its Content-Length.", level=logging.DEBUG
        )
    return body


# Refusals


def refuse_carrier(request: HttpRequest, error: Refused) -> HttpResponse:
    """The answer to a request that is refused: Engine.IO's JSON."""
    response = refuse(request, str(error), error.status, level=error.level)
    if "X-DWebSocket-Debug" not in response.headers:
        response.headers["Content-Type"] = JSON
        response.content = describe(error.code, error.message).encode()
    return allow_origin(request.META.get("HTTP_ORIGIN"), response)
