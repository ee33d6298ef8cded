"""Requests of Engine.IO at the address of a view or handler: those of a session that is there
already are answered here, in the place of the view; what opens a session goes on as a handshake.

Middleware and the decorators above ours have seen each of them.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from dwebsocket.backends import get_factory
from dwebsocket.backends.query import is_engine
from dwebsocket.backends.replies import Reply
from dwebsocket.backends.sessions.answers import allow_origin, build_preflight, renderer
from dwebsocket.backends.sessions.carriers import Polls
from dwebsocket.backends.sessions.factory import SessionFactory
from dwebsocket.backends.sessions.opening import OWNER, Connection
from dwebsocket.backends.sessions.registry import find_session
from dwebsocket.backends.sessions.session import Session
from dwebsocket.conf import conf
from dwebsocket.exceptions import SocketTakeoverError
from dwebsocket.protocol.engineio import (
    InvalidPacket,
    WrongCount,
    decode_payload,
    parse_count,
)
from dwebsocket.protocol.exceptions import InvalidHandshake
from dwebsocket.upgrade.attachment import MARK
from dwebsocket.upgrade.csrf import check_source
from dwebsocket.upgrade.refusals import refuse, refuse_for

__all__ = ["MAX_OVERHEAD", "answer_carrier"]

#: Bytes of the body of a POST besides a message of the greatest size, which may be base64.
MAX_OVERHEAD = 65536

#: Digits of the longest length that is compared with that.
MAX_DIGITS = 18


class Owner(NamedTuple):
    """Whose a session is.

    Attributes:
        path: of the view's address.
        user: the primary key of who is logged in.
        cookie: that of Django's session.
    """

    path: str
    user: str | None
    cookie: str | None

    def admits(self, other: Owner) -> bool:
        """Whether another request may be of the same client."""
        if self.user is not None:
            return other.user == self.user
        # Nobody is logged in: a sid is secret enough where there has not even been a cookie.
        return self.cookie is None or (other.user is None and other.cookie == self.cookie)


class Refused(Exception):
    """A request that no session takes, in the words of Engine.IO."""

    def __init__(
        self,
        code: int,
        message: str,
        why: str = "",
        status: int = 400,
        level: int = logging.WARNING,
    ) -> None:
        super().__init__(why or message)
        self.code = code
        self.message = message
        self.status = status
        self.level = level


def answer_carrier(request: HttpRequest, *, fallback: bool) -> HttpResponse | None:
    """The answer to a request of Engine.IO, in a thread; ``None``: it opens a session, or is none.

    Args:
        fallback: whether the view takes polls.
    """
    if not is_engine(request):
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
    session = find_own(request, owner)
    if session is None:
        return None
    if factory.is_upgrade:
        return connect(request, factory, session)
    answer = post if request.method == "POST" else poll
    return answer(request, factory, session)


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
    return Owner(request.path, known, cookie)


def find_own(request: HttpRequest, owner: Owner) -> Session | None:
    """The session that the request names; ``None``: a new one is to be opened."""
    query = request.GET
    sid = query.get("sid")
    if sid is None:
        return None
    session = find_session(sid)
    if session is None or session.owner.path != owner.path:
        if "received" in query and request.method == "GET":
            return None
        raise Refused(1, "Session ID unknown", level=logging.DEBUG)
    if not session.owner.admits(owner):
        raise Refused(4, "Forbidden", "The session is another user's.", 403)
    return session


def read_count(request: HttpRequest, name: str, session: Session) -> int | None:
    """A number of messages in the query, if the client is one that counts."""
    if not session.resumes:
        return None
    try:
        return parse_count(request.GET.get(name, ""))
    except InvalidPacket as error:
        raise Refused(3, "Bad request", f"{name} is no number of messages.") from error


# What is answered


def poll(request: HttpRequest, factory: SessionFactory, session: Session) -> HttpResponse:
    """A GET: wait for something to say."""
    reply = Reply(renderer(request))
    received = read_count(request, "received", session)
    if received is not None:
        polls = Polls(escapes=True)
        polls.wait(reply)
        adopt(session, polls, received)
    elif not session.poll(reply, read_count(request, "after", session)):
        raise Refused(3, "Bad request", "The session does not wait for this poll.")
    return reply.build() if reply.is_given else factory.defer(reply)


def adopt(session: Session, carrier: Polls, received: int) -> None:
    try:
        session.adopt(carrier, received)
    except WrongCount as error:
        raise Refused(3, "Bad request", str(error)) from error


def post(request: HttpRequest, factory: SessionFactory, session: Session) -> HttpResponse:
    """A POST: take the packets in."""
    sent = read_count(request, "sent", session)
    body = read_body(request)
    try:
        packets = decode_payload(body)
    except InvalidPacket as error:
        session.fail(str(error))
        raise Refused(3, "Bad request", str(error)) from error
    reply = Reply(renderer(request))
    if not session.post(packets, sent, reply):
        raise Refused(3, "Bad request", "The session does not take this.")
    return reply.build() if reply.is_given else factory.defer(reply)


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


def connect(request: HttpRequest, factory: SessionFactory, session: Session) -> HttpResponse:
    """A WebSocket: it comes back, or asks whether it may carry on."""
    received = read_count(request, "received", session)
    factory.check_handshake()
    websocket = factory.server.create_websocket()
    assert websocket is not None  # the request asks for one
    connection = Connection(session, request, factory.find_place(), websocket)
    if received is not None and not session.may_rewind(received):
        raise Refused(3, "Bad request", f"{received} messages have not been sent.")
    connection.accept(session.protocol if received is not None else None, {})
    request.META[MARK] = websocket  # the request has become a WebSocket
    if received is None:
        session.probe(connection.carrier)  # or closes it
    else:
        session.adopt(connection.carrier, received)
    return connection.start() or HttpResponse(status=101)


# Refusals


def refuse_carrier(request: HttpRequest, error: Refused) -> HttpResponse:
    """The answer to a request that is refused: Engine.IO's JSON."""
    response = refuse(request, str(error), error.status, level=error.level)
    if "X-DWebSocket-Debug" not in response.headers:
        response.headers["Content-Type"] = "application/json"
        response.content = f'{{"code":{error.code},"message":"{error.message}"}}'.encode()
    return allow_origin(request.META.get("HTTP_ORIGIN"), response)
