"""Sessions of other processes, for requests that have come to this one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from dwebsocket.backends.replies import Reply
from dwebsocket.backends.sessions.answers import UNKNOWN, describe
from dwebsocket.backends.sessions.carriers import WebSocketCarrier
from dwebsocket.backends.sessions.claims import Claim, Refused, unknown
from dwebsocket.backends.sessions.registry import find_stop_code
from dwebsocket.backends.sessions.relay import NoSuchProcess, get_links, join, split_sid
from dwebsocket.backends.sessions.relay.link import Stream
from dwebsocket.backends.sessions.relay.links import Links
from dwebsocket.backends.sessions.relay.messages import Item, pack_packets, unpack_packets
from dwebsocket.backends.sessions.relayed import WINDOW
from dwebsocket.protocol.engineio import Packet
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.transports.base import Lock

Result = TypeVar("Result")

__all__ = ["Elsewhere", "SessionElsewhere", "find_elsewhere"]


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

    def wait(self, claim: Claim) -> Item | None:
        """What is said, once it is: while the other process is heard. ``None``: the session is
        gone, and another one is to be opened.

        Raises:
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
        if kind == "gone":
            if claim.may_open:
                return None
            raise unknown()
        return values


class AskedElsewhere:
    """Uses the stream of a poll.

    Attributes:
        stream: it.
    """

    stream: Stream

    def __init__(self, reply: Reply, word: FirstWord | None) -> None:
        self._reply = reply
        self._word = word
        reply.on_left = self._leave

    def _leave(self) -> None:
        """The client has left."""
        self.stream.send("left")
        self.stream.close()

    def receive(self, item: Item) -> None:
        """See ``StreamUser``."""
        kind, *values = item
        if kind != "waits":
            self.stream.close()
        if kind == "answer":
            self._reply.give(*values)
        if self._word is not None and self._word.tell(item):
            return
        if kind == "refused":
            code, message, _, status, _ = values[0]
            self._reply.give(describe(code, message), status)
        elif kind == "gone":
            self._reply.give(describe(*UNKNOWN), 400)

    def break_off(self) -> None:
        """See ``StreamUser``."""
        if self._word is None or not self._word.tell(["lost"]):
            self._reply.give(describe(*UNKNOWN), 400)


class SessionElsewhere:
    """What a WebSocket carries: uses the stream of it, and is its carrier's ``SessionEnd``.

    Attributes:
        stream: it.
        word: what the other process says of it.
    """

    stream: Stream

    def __init__(self, create_lock: Callable[[], Lock]) -> None:
        self.word = FirstWord(create_lock)
        self._lock = threading.Lock()  # held for an instant, around calls of the carrier
        self._carrier: WebSocketCarrier | None = None
        self._flying = 0  # bytes that have not been taken in yet, as far as this side knows
        self._is_wanted = self._is_reading = True
        self._is_over = False

    def begin(self, carrier: WebSocketCarrier) -> None:
        """Go on with this carrier."""
        with self._lock:
            self._begin(carrier)

    def _begin(self, carrier: WebSocketCarrier) -> None:
        if self._carrier is None:
            self._carrier = carrier
            self.stream.send("begin")
            if self._is_over:
                carrier.finish(CloseCode.GOING_AWAY, "")

    # The SessionEnd

    def take_in(self, carrier: WebSocketCarrier, packets: Sequence[Packet]) -> bool:
        """See ``SessionEnd``; so have the rest."""
        size = sum(map(len, packets))
        with self._lock:
            self._begin(carrier)
            if not self._is_over:
                self._flying += size
            self.stream.send("packets", pack_packets(packets), size, size=size)
            return self._regulate()

    def _regulate(self) -> bool:
        """Whether more is to be read."""
        reads = self._is_over or (self._is_wanted and self._flying < WINDOW)
        if reads != self._is_reading and self._carrier is not None:
            self._is_reading = reads
            self._carrier.set_reading(reads)
        return reads

    def lose(self, carrier: WebSocketCarrier) -> None:
        """See ``SessionEnd``."""
        code = carrier.close_code
        # That this process ends is not the end of the session.
        if code is None or code == CloseCode.SERVICE_RESTART or find_stop_code() is not None:
            code = CloseCode.ABNORMAL_CLOSURE
        self._leave(code)

    def end(self, code: int, reason: str) -> bool:
        """See ``SessionEnd``: this process ends, and not the session."""
        self._leave(CloseCode.ABNORMAL_CLOSURE)
        return True

    def _leave(self, code: int) -> None:
        with self._lock:
            self._is_over = True
        self.stream.send("end", int(code))
        self.stream.close()

    # What comes

    def receive(self, item: Item) -> None:
        """See ``StreamUser``."""
        kind, *values = item
        if kind in ("opened", "refused", "gone"):
            self.word.tell(item)
            return
        carrier = self._carrier
        assert carrier is not None  # or nothing would come
        with self._lock:
            if kind == "packets":
                carrier.send(unpack_packets(values[0]))
            elif kind == "finish":
                self._is_over = True
                carrier.finish(*values)
            elif kind == "reading":
                self._is_wanted = values[0]
            elif kind == "taken":
                self._flying -= values[0]
            self._regulate()

    def break_off(self) -> None:
        """See ``StreamUser``: the client may come back."""
        self.word.tell(["lost"])
        with self._lock:
            self._is_over = True
            if self._carrier is not None:
                self._carrier.finish(CloseCode.GOING_AWAY, "")


class Elsewhere:
    """A process that may hold a session. What is asked of it raises ``NoSuchProcess`` if there is
    none.
    """

    def __init__(self, links: Links, name: str) -> None:
        self._links = links
        self._name = name

    def poll(self, claim: Claim, reply: Reply, create_lock: Callable[[], Lock]) -> bool:
        """Have a GET answered; whether it is, or will be: if not a session is to be opened.

        Raises:
            Refused: it is refused, which is seen at once for a client that comes back.
        """
        if not claim.may_open:
            self._ask(reply, None, "poll", claim)
            return True

        def ask() -> Item | None:
            word = FirstWord(create_lock)
            self._ask(reply, word, "poll", claim)
            return word.wait(claim)

        return ask_twice(ask) is not None

    def post(self, claim: Claim, body: bytes, reply: Reply) -> None:
        """Have a POST answered."""
        text = body.decode("utf-8", "surrogateescape")
        self._ask(reply, None, "post", claim, text, size=len(body))

    def _ask(
        self, reply: Reply, word: FirstWord | None, kind: str, *values: object, size: int = 0
    ) -> None:
        user = AskedElsewhere(reply, word)
        user.stream = self._links.open(self._name, user)
        user.stream.open(kind, *values, size=size)

    def connect(
        self, claim: Claim, create_lock: Callable[[], Lock]
    ) -> tuple[SessionElsewhere, str | None] | None:
        """Ask whether a WebSocket may carry the session.

        Returns:
            What it carries, and the subprotocol; ``None``: a session is to be opened.

        Raises:
            Refused: it may not.
        """
        find_stop_code()  # here: a request is running, by which the worker is found

        def ask() -> tuple[SessionElsewhere, str | None] | None:
            session = SessionElsewhere(create_lock)
            session.stream = self._links.open(self._name, session)
            session.stream.open("websocket", claim)
            values = session.word.wait(claim)
            return None if values is None else (session, values[0])

        return ask_twice(ask)


def ask_twice(ask: Callable[[], Result]) -> Result:
    """Once more, where the first time has lost what was on its way to another process."""
    try:
        return ask()
    except NoSuchProcess:
        return ask()


def find_elsewhere(sid: str) -> Elsewhere | None:
    """The process that may hold this session; ``None``: no other one."""
    name = split_sid(sid)
    if name is None:
        return None
    links = get_links() or join()
    return None if links is None or links.name == name else Elsewhere(links, name)
