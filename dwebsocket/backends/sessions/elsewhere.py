"""Sessions of other processes, for requests that have come to this one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, TypeVar

from dwebsocket.backends.replies import Reply
from dwebsocket.backends.sessions.asked import AskedElsewhere, FirstWord, open_stream
from dwebsocket.backends.sessions.carriers import WebSocketCarrier
from dwebsocket.backends.sessions.claims import (
    Claim,
    HasLeft,
    unknown,
)
from dwebsocket.backends.sessions.registry import find_session, find_stop_code, has_left
from dwebsocket.backends.sessions.relay import NoSuchProcess, get_links, join, split_sid
from dwebsocket.backends.sessions.relay.link import Stream
from dwebsocket.backends.sessions.relay.links import Links
from dwebsocket.backends.sessions.relay.messages import Item, pack_packets, unpack_packets
from dwebsocket.backends.sessions.relayed import WINDOW
from dwebsocket.backends.sessions.trail import Trail
from dwebsocket.protocol.engineio import Packet
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.transports.base import Lock

Result = TypeVar("Result")

__all__ = ["Elsewhere", "SessionElsewhere", "find_elsewhere"]


class SessionElsewhere:
    """What a WebSocket carries: uses the stream of it, and is its carrier's ``SessionEnd``.

    Attributes:
        stream: it.
        word: what the other process says of it.
    """

    is_here: ClassVar[bool] = False
    stream: Stream

    def __init__(self, create_lock: Callable[[], Lock]) -> None:
        self.word = FirstWord(create_lock)
        self._lock = threading.Lock()  # held for an instant, around calls of the carrier
        self._carrier: WebSocketCarrier | None = None
        self._flying = 0  # bytes that have not been taken in yet, as far as this side knows
        self._is_wanted, self._is_reading = False, True  # nothing before there is room
        self._is_over = False

    def begin(self, carrier: WebSocketCarrier) -> None:
        """Go on with this carrier."""
        with self._lock:
            self._begin(carrier)

    def _begin(self, carrier: WebSocketCarrier) -> None:
        if self._carrier is None:
            self._carrier = carrier
            self.stream.send("begin")
            self._regulate()
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
        if kind in ("opened", "refused", "gone", "moved"):
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
    """The processes that may hold a session.

    Attributes:
        links: to these.
    """

    def __init__(self, links: Links, trail: Trail, claim: Claim) -> None:
        self.links = links
        self._trail = trail
        self._claim = claim

    def poll(self, reply: Reply, create_lock: Callable[[], Lock]) -> bool:
        """Have a GET answered; whether it is, or will be: if not a session is to be opened.

        Raises:
            HasLeft: this process has the session now.
            Refused: it is refused, which is seen at once for a client that comes back.
        """
        claim = self._claim
        if not claim.may_open:
            AskedElsewhere(self, reply, None, "poll", claim).ask_next()
            return True

        def ask(name: str) -> Item | None:
            word = FirstWord(create_lock)
            AskedElsewhere(self, reply, word, "poll", claim).ask(name)
            return word.wait()

        return self._ask_all(ask) is not None

    def post(self, body: bytes, reply: Reply) -> None:
        """Have a POST answered."""
        packed = pack_packets([body])
        AskedElsewhere(self, reply, None, "post", self._claim, *packed, size=len(body)).ask_next()

    def connect(
        self, create_lock: Callable[[], Lock]
    ) -> tuple[SessionElsewhere, str | None] | None:
        """Ask whether a WebSocket may carry the session.

        Returns:
            What it carries, and the subprotocol; ``None``: a session is to be opened.

        Raises:
            HasLeft: this process has the session now.
            Refused: it may not.
        """
        find_stop_code()  # here: a request is running, by which the worker is found

        def ask(name: str) -> tuple[SessionElsewhere, str | None] | None:
            session = SessionElsewhere(create_lock)
            session.stream = self.links.open(name, session)
            open_stream(session.stream, "websocket", self._claim)
            values = session.word.wait()
            return None if values is None else (session, values[0])

        return self._ask_all(ask)

    def _ask_all(self, ask: Callable[[str], Result | None]) -> Result | None:
        """What the first one says that has the session; ``None``: another one is to be opened.

        Raises:
            HasLeft: this process has the session now.
            Refused: it is refused, or nobody has the session.
        """
        while (name := self._find_next()) is not None:
            try:
                found = ask_twice(partial(ask, name))
            except NoSuchProcess:
                self.note("lost")
            except HasLeft:
                self.note("moved")
            else:
                self.note("gone" if found is None else "found")
                if found is not None:
                    return found
        if self._claim.may_open:
            return None
        raise unknown()

    def ask_next(self, ask: Callable[[str], None]) -> None:
        """Ask the next one that is there.

        Raises:
            HasLeft: this process has the session now.
            Refused: nobody has it.
        """
        while (name := self._find_next()) is not None:
            try:
                ask(name)
            except NoSuchProcess:
                self.note("lost")
            else:
                return
        raise unknown()

    def _find_next(self) -> str | None:
        if find_session(self._claim.sid) is not None:
            raise HasLeft
        return self._trail.next()

    def note(self, what: str) -> None:
        """What the last one has said, or that it is lost."""
        notes = {
            "found": self._trail.note_found,
            "gone": self._trail.note_gone,
            "moved": self._trail.note_moved,
            "lost": self._trail.note_lost,
        }
        notes[what]()


def ask_twice(ask: Callable[[], Result]) -> Result:
    """Once more, where the first time has lost what was on its way to another process."""
    try:
        return ask()
    except NoSuchProcess:
        return ask()


def find_elsewhere(claim: Claim) -> Elsewhere | None:
    """The processes that may hold this session; ``None``: no other one."""
    sid = claim.sid
    owner = split_sid(sid)
    if owner is None or find_session(sid) is not None:
        return None
    links = get_links() or join()
    if links is None or (links.name == owner and not has_left(sid)):
        return None
    return Elsewhere(links, Trail(sid, owner), claim)
