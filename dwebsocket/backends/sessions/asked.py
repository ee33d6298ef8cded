"""A request of a session that other processes may answer, one after the other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol

from dwebsocket.backends.replies import Reply
from dwebsocket.backends.sessions.answers import UNKNOWN, describe
from dwebsocket.backends.sessions.claims import (
    Claim,
    HasLeft,
    Refused,
    find_claimed,
    poll,
    post,
    unknown,
)
from dwebsocket.backends.sessions.relay import NoSuchProcess
from dwebsocket.backends.sessions.relay.link import Busy, Stream
from dwebsocket.backends.sessions.relay.links import Links
from dwebsocket.backends.sessions.relay.messages import Item, unpack_packets
from dwebsocket.backends.sessions.transit import IsLeaving
from dwebsocket.running.threads import NoThread, Threads
from dwebsocket.transports.base import Lock

__all__ = ["AskedElsewhere", "FirstWord", "open_stream"]

logger = logging.getLogger("dwebsocket.handshake")


class Place(Protocol):
    """The processes that may have the session."""

    @property
    def links(self) -> Links: ...

    def ask_next(self, ask: Callable[[str], None]) -> None:
        """Ask the next one that is there.

        Raises:
            HasLeft: this process has the session now.
            Refused: nobody has it.
        """

    def note(self, what: str) -> None:
        """What the last one has said."""


class FirstWord:
    """What the other process says first.

    Args:
        create_lock: makes a lock that lets others go on while one waits for it.
    """

    def __init__(self, create_lock: Callable[[], Lock]) -> None:
        self._lock = threading.Lock()  # held for an instant
        self._word: Item | None = None
        self._told = create_lock()
        self._told.acquire()

    def tell(self, word: Item) -> bool:
        """Whether this is it; what is said later is not."""
        with self._lock:
            if self._word is not None:
                return False
            self._word = word
        self._told.release()
        return True

    def wait(self) -> Item | None:
        """What is said, once it is: while the other process is heard. ``None``: it does not have
        the session.

        Raises:
            HasLeft: it had it.
            NoSuchProcess: the other process has ended, or is not heard.
            Refused: it has refused.
        """
        self._told.acquire()
        assert self._word is not None
        kind, *values = self._word
        if kind == "lost":
            raise NoSuchProcess
        if kind == "refused":
            raise Refused(*values[0])
        if kind == "moved":
            raise HasLeft
        return None if kind == "gone" else values


def open_stream(stream: Stream, *item: object, size: int = 0) -> None:
    """Send the first item.

    Raises:
        Refused: the other process has too much to do.
    """
    try:
        stream.open(*item, size=size)
    except Busy as error:
        stream.close()
        raise Refused(3, "Bad request", f"{error}.", 503, logging.INFO) from error


REFUSED = "WebSocket refused with %s: a %s of %s: %s"

#: Ask the next one, where one has not got the session.
asking = Threads(4, "dwebsocket-relay-next")


class AskedElsewhere:
    """A poll that others may answer, one after the other.

    Args:
        word: what waits for the first word, and then sees to what follows; ``None``: this does.
        kind: of the request.
        values: what belongs to it.
        size: about how many bytes these have.
    """

    def __init__(
        self,
        place: Place,
        reply: Reply,
        word: FirstWord | None,
        kind: str,
        *values: Any,
        size: int = 0,
    ) -> None:
        self._place = place
        self._reply = reply
        self._word = word
        self._item = kind, *values
        self._size = size
        self._stream: Stream | None = None
        reply.on_left = self._leave

    def ask(self, name: str) -> None:
        """Ask this process.

        Raises:
            NoSuchProcess: there is none.
            Refused: it has too much to do.
        """
        stream = self._stream = self._place.links.open(name, self)
        open_stream(stream, *self._item, size=self._size)

    def ask_next(self) -> None:
        """Ask whoever may have the session, or have it answered here. May wait."""
        try:
            self._place.ask_next(self.ask)
        except Refused as error:
            self._refuse(error.code, error.message, error.status)
        except HasLeft:
            self._answer_here()

    def _answer_here(self) -> None:
        """The session has come to this process meanwhile."""
        claim: Claim
        kind, claim, *rest = self._item
        try:
            session = find_claimed(claim)
            if session is None:
                raise unknown()
            if kind == "post":
                (body,) = unpack_packets(rest)
                assert isinstance(body, bytes)  # as ``Elsewhere.post`` has it
                post(session, claim, body, self._reply)
            else:
                poll(session, claim, self._reply)
        except Refused as error:
            self._refuse(error.code, error.message, error.status)
        except (HasLeft, IsLeaving):  # the client comes back
            self._refuse(*UNKNOWN, 400)

    def _refuse(self, code: int, message: str, status: int) -> None:
        self._reply.give(describe(code, message), status)

    def _leave(self) -> None:
        """The client has left."""
        stream = self._stream
        if stream is not None:
            stream.send("left")
            stream.close()

    def receive(self, item: Item) -> None:
        """See ``StreamUser``."""
        kind, *values = item
        if kind != "waits" and self._stream is not None:
            self._stream.close()
        if kind == "answer":
            (text,) = unpack_packets(values[:1])
            self._reply.give(str(text), values[1])
        if self._word is not None and self._word.tell(item):
            return
        if kind == "refused":
            code, message, why, status, level = values[0]
            path = self._item[1].owner.path.encode("unicode_escape").decode()
            logger.log(level, REFUSED, status, self._item[0], path, why)
            self._refuse(code, message, status)
        elif kind in ("gone", "moved"):
            self._place.note(kind)
            self._start_next()
        else:
            self._place.note("found")

    def break_off(self) -> None:
        """See ``StreamUser``."""
        if self._word is not None and self._word.tell(["lost"]):
            return
        claim = self._item[1]
        if self._item[0] == "post" and not claim.sent:  # it may have been taken
            self._refuse(*UNKNOWN, 400)
        else:
            self._place.note("lost")
            self._start_next()

    def _start_next(self) -> None:
        try:
            asking.start(self.ask_next)
        except NoThread:
            self._refuse(*UNKNOWN, 400)
