"""A process with handlers: what the front says is done here."""

from __future__ import annotations

import logging
import threading
from functools import partial
from time import monotonic, sleep
from typing import Any

from dwebsocket.protocol.frames import CloseCode
from dwebsocket.running.threads import NoThread, Threads
from dwebsocket.supervisor import log_failure, log_now_and_then

from .addresses import Addresses
from .flow import Flow
from .leader import FOREIGN, Leader
from .link import Link
from .moving import move_all
from .requests import build_environ, load_application, refuse, respond
from .serving import Serving
from .wire import Kind, Packet, read_close, read_count, read_json

__all__ = ["Worker"]

logger = logging.getLogger("dwebsocket.connection")

#: Threads in which handshakes are answered.
MAX_HANDSHAKES = 32

TEXT, BINARY = Kind.TEXT, Kind.BINARY


class Worker:
    """One process with handlers.

    Attributes:
        changed: set when a connection comes, or goes.
        had_connection: whether there has been one.

    Args:
        capacity: how many connections it takes; ``None``: as many as come.
        own_threads: each handler has a thread, or a greenlet, to itself.
        has_greenlets: all of them share one thread.
    """

    def __init__(
        self,
        addresses: Addresses,
        *,
        capacity: int | None = None,
        own_threads: bool = False,
        has_greenlets: bool = False,
    ) -> None:
        self._link = Link(addresses, capacity, green=has_greenlets)
        self._leader = Leader(self._link, self._take_in)
        self._threads = Threads(MAX_HANDSHAKES, "dwebsocket-handshake")
        self._own_threads = own_threads
        self._has_greenlets = has_greenlets
        self._application = load_application()
        self._front: bytes | None = None
        self._servings: dict[bytes, Serving] = {}
        self._asked: set[bytes] = set()  # whose request is running
        self.had_connection = False
        self.changed = threading.Event()

    def start(self) -> None:
        """Take connections from now on."""
        self._leader.start()
        self._link.start()

    @property
    def is_idle(self) -> bool:
        """Whether there is no connection."""
        return not self._servings and not self._asked

    def leave(self, timeout: float) -> None:
        """Give all connections back, and go: the process ends."""
        self._link.send(Kind.LEAVING)
        until = monotonic() + timeout
        while self._asked - self._held() and monotonic() < until:
            sleep(0.01)
        move_all(list(self._servings.values()), max(0.0, until - monotonic()))
        self._link.acknowledge_all()
        self._link.send(Kind.GONE)
        self._link.close()

    def _held(self) -> set[bytes]:
        """Those whose request goes on for as long as their connection."""
        return {id for id, one in list(self._servings.items()) if one.flow.user is not None}

    # What the front says, one packet after the other

    def _take_in(self, packet: Packet) -> None:
        """Do what a packet says. Never raises."""
        try:
            if self._do(packet):
                return
        except ValueError:
            pass
        except Exception:
            log_failure("A packet of the gateway's front could not be worked on")
            return
        log_now_and_then("gateway", FOREIGN)

    def _do(self, packet: Packet) -> bool:
        kind = packet.kind
        if kind is TEXT or kind is BINARY:
            serving = self._servings.get(packet.connection)
            # A connection that has just been closed here may still bring some.
            return serving is None or serving.flow.take_in(packet)
        if kind is Kind.WELCOME:
            self._meet(packet.connection)
        elif kind is Kind.BEAT:
            if packet.connection != self._front:
                self._link.greet()
        elif kind is Kind.OPEN:
            self._open(packet)
        elif kind in (Kind.CLOSE, Kind.CLOSED):
            code, reason = read_close(packet.body)
            self._end(packet.connection, code, reason, may_answer=kind is Kind.CLOSE)
        elif kind is Kind.CREDIT:
            taken, serving = read_count(packet.body), self._servings.get(packet.connection)
            if serving is not None:
                serving.flow.add_credit(taken)
        else:
            return False
        return True

    def _meet(self, front: bytes) -> None:
        """The front has answered. Whoever knows us not, or not any more, has none of our
        connections; to who has said hello twice it says so twice.
        """
        if not self._link.note_welcome() and self._front == front:
            return
        for connection in list(self._servings):
            self._end(connection, CloseCode.SERVICE_RESTART, "", may_answer=False)
        if self._front not in (None, front):
            logger.info("The gateway's front is another one: its connections are gone")
        self._front = front

    def _open(self, packet: Packet) -> None:
        content = read_json(packet.body)
        if packet.connection in self._servings:
            self._end(packet.connection, CloseCode.SERVICE_RESTART, "", may_answer=False)
        flow = Flow(self._link, packet.connection, content)
        serving = Serving(
            flow,
            build_environ(content["handshake"]),
            self._leader,
            self._threads,
            own_threads=self._own_threads,
            has_greenlets=self._has_greenlets,
        )
        self._servings[packet.connection] = serving
        self._asked.add(packet.connection)
        self.had_connection = True
        self.changed.set()
        try:
            self._threads.start(partial(self._answer, serving))
        except NoThread as error:
            self._asked.discard(packet.connection)
            refuse(serving, 503, [("Content-Type", "text/plain")], f"{error}\n".encode())

    def _answer(self, serving: Serving) -> None:
        try:
            respond(self._application, serving)
        finally:
            serving.forget_request()
            self._asked.discard(serving.flow.id)
            if serving.flow.user is None:
                self._servings.pop(serving.flow.id, None)
            self.changed.set()

    def _end(self, connection: bytes, code: int, reason: str, *, may_answer: bool) -> None:
        serving: Any = self._servings.get(connection)
        if serving is None:
            return
        flow = serving.flow
        flow.closing = code, reason, may_answer
        if not may_answer:
            del self._servings[connection]
            flow.end()
            self.changed.set()
        if flow.user is not None:
            flow.user._note_end(code, reason, may_answer=may_answer)
