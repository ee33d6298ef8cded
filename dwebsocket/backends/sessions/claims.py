"""What a request says of the session that it belongs to; and what the process does with it that
holds this session, wherever the request has come.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from dwebsocket.backends.replies import Reply
from dwebsocket.backends.sessions.answers import UNKNOWN
from dwebsocket.backends.sessions.carriers import Polls, WebSocketCarrier
from dwebsocket.backends.sessions.registry import find_session, has_left
from dwebsocket.backends.sessions.session import Session
from dwebsocket.backends.sessions.transit import IsLeaving
from dwebsocket.protocol.engineio import InvalidPacket, WrongCount, decode_payload, parse_count
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.transports.base import Lock

__all__ = [
    "Claim",
    "HasLeft",
    "Owner",
    "Refused",
    "carry",
    "check_return",
    "find_claimed",
    "poll",
    "post",
    "unknown",
    "wait_until_settled",
]


class Owner(NamedTuple):
    """Whose a session is.

    Attributes:
        path: of the view's address.
        user: the primary key of who is logged in.
        cookie: a digest of that of Django's session.
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

    @property
    def values(self) -> tuple[int, str, str, int, int]:
        """What it can be made of again."""
        return self.code, self.message, str(self), self.status, self.level


def unknown() -> Refused:
    """The refusal of a request whose session is not there."""
    return Refused(*UNKNOWN, level=logging.DEBUG)


class Claim(NamedTuple):
    """What a request says.

    Attributes:
        sid: the session's.
        owner: whose the request is.
        may_open: whether a session is opened if there is none.
        received: how many messages the client has got that comes back; ``None``: it does not.
        after: how many it has got that goes on.
        sent: how many it had sent before.
    """

    sid: str
    owner: Owner
    may_open: bool
    received: str | None
    after: str
    sent: str

    @classmethod
    def of(cls, values: Sequence[Any]) -> Claim:
        """That which another process has sent."""
        sid, owner, *rest = values
        return cls(sid, Owner(*owner), *rest)


class HasLeft(LookupError):
    """Another process has the session now."""


def find_claimed(claim: Claim) -> Session | None:
    """The session; ``None``: a new one is to be opened.

    Raises:
        HasLeft: it was here.
        IsLeaving: it is about to go to another process.
        Refused: there is none, or it is another client's.
    """
    session = find_session(claim.sid)
    if session is None and has_left(claim.sid):
        raise HasLeft(claim.sid)
    if session is None or session.owner.path != claim.owner.path:
        if claim.may_open:
            return None
        raise unknown()
    if not session.owner.admits(claim.owner):
        raise Refused(4, "Forbidden", "The session is another user's.", 403)
    session.check_stays()
    return session


def wait_until_settled(claim: Claim, create_lock: Callable[[], Lock]) -> None:
    """Wait until the session has gone to another process, or stays."""
    session, woken = find_session(claim.sid), create_lock()
    woken.acquire()
    if session is not None and session.when_settled(woken.release):
        woken.acquire()


def read_count(session: Session, name: str, digits: str | None) -> int | None:
    """A number of messages, if the client is one that counts."""
    if not session.resumes:
        return None
    try:
        return parse_count(digits or "")
    except InvalidPacket as error:
        raise Refused(3, "Bad request", f"{name} is no number of messages.") from error


def poll(session: Session, claim: Claim, reply: Reply) -> None:
    """A GET: the reply is given when there is something to say.

    Raises:
        IsLeaving: the session is about to go to another process.
        Refused: it is not one for this session.
    """
    received = read_count(session, "received", claim.received)
    if received is not None:
        polls = Polls(escapes=True)
        polls.wait(reply)
        try:
            session.adopt(polls, received)
        except WrongCount as error:
            raise Refused(3, "Bad request", str(error)) from error
    elif not session.poll(reply, read_count(session, "after", claim.after)):
        raise Refused(3, "Bad request", "The session does not wait for this poll.")


def post(session: Session, claim: Claim, body: bytes, reply: Reply) -> None:
    """A POST: the reply is given when the packets are taken in.

    Raises:
        IsLeaving: the session is about to go to another process.
        Refused: it is not one for this session.
    """
    sent = read_count(session, "sent", claim.sent)
    try:
        packets = decode_payload(body)
    except InvalidPacket as error:
        session.fail(str(error))
        raise Refused(3, "Bad request", str(error)) from error
    if not session.post(packets, sent, reply):
        raise Refused(3, "Bad request", "The session does not take this.")


def check_return(session: Session, claim: Claim) -> int | None:
    """How many messages the client has got which comes with a WebSocket; ``None``: it asks whether
    that may carry on.

    Raises:
        Refused: so many have not been sent.
    """
    received = read_count(session, "received", claim.received)
    if received is not None and not session.may_rewind(received):
        raise Refused(3, "Bad request", f"{received} messages have not been sent.")
    return received


def carry(session: Session, carrier: WebSocketCarrier, received: int | None) -> None:
    """Go on with this WebSocket, or close it."""
    try:
        if received is None:
            session.probe(carrier)
        else:
            session.adopt(carrier, received)
    except (WrongCount, IsLeaving):  # meanwhile
        carrier.finish(CloseCode.NORMAL_CLOSURE, "")
