"""The two ZeroMQ sockets of a process with handlers: packets from the front, and packets to it.

Each direction has a socket of its own. Whoever leads (``leader``) reads from the one; any thread
writes to the other, one at a time, and nobody ever waits for it.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from time import monotonic
from typing import Any, Protocol

from dwebsocket.supervisor import Service, start_thread

from .addresses import Addresses
from .wire import VERSION, Kind, Packet, pack, pack_json, unpack

__all__ = ["BEAT_INTERVAL", "Link", "Sender", "find_namespace"]

#: Seconds between two heartbeats.
BEAT_INTERVAL = 1.0

#: Seconds after which what has been worked on is acknowledged, if no message has done it.
ACK_DELAY = 0.05

#: Packets that leave together, and bytes of one from which on it does not wait for others.
MAX_GATHERED, MAX_JOINED = 64, 65536

#: Milliseconds for what waits to leave when this process ends.
LINGER = 3000


class Sender(Protocol):
    """A connection that sends packets."""

    def build(self, kind: Kind, body: bytes) -> bytes:
        """The next packet, as it leaves now; nothing if it is not to be sent any more."""
        ...

    def acknowledge(self) -> None:
        """Tell the front what has been worked on, if no packet has done it."""


class Link:
    """This process's way to the front.

    Attributes:
        name: 16 random bytes, by which the front knows this process.
    """

    def __init__(self, addresses: Addresses, capacity: int | None, *, green: bool = False) -> None:
        self._zmq = import_zmq(green=green)
        self.name = os.urandom(16)
        self._capacity = capacity
        self._context: Any = self._zmq.Context()
        self._incoming = self._connect(addresses.push, addresses)
        self._outgoing = self._connect(addresses.sub, addresses)
        self._lock = threading.Lock()  # whoever sends
        self._gatherer = 0  # the thread whose packets leave together
        self._waiting: deque[tuple[Sender | None, Kind, bytes]] = deque()
        self._due: set[Sender] = set()
        self._wanted = threading.Event()
        self._closed = False
        self._greeted = False
        self._greeting = 0  # which one: the same one may be said again
        self._service = Service(self._keep_in_touch, "dwebsocket-gateway-beat")

    def _connect(self, address: str, addresses: Addresses) -> Any:
        zmq = self._zmq
        sock = self._context.socket(zmq.DEALER)
        sock.setsockopt(zmq.ROUTING_ID, self.name)
        sock.setsockopt(zmq.SNDHWM, 0)  # each connection has a bound of its own
        sock.setsockopt(zmq.RCVHWM, 0)
        sock.setsockopt(zmq.LINGER, 0)
        sock.setsockopt(zmq.RECONNECT_IVL, 50)
        sock.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
        if addresses.keys is not None:
            sock.setsockopt(zmq.CURVE_SERVERKEY, addresses.keys.front_public)
            sock.setsockopt(zmq.CURVE_PUBLICKEY, addresses.keys.handlers_public)
            sock.setsockopt(zmq.CURVE_SECRETKEY, addresses.keys.handlers_secret)
        sock.connect(address)
        return sock

    def start(self) -> None:
        """Say who we are, and again until the front has answered; then that we are here."""
        self._service.ensure()

    # Sending

    def send(self, kind: Kind, body: bytes = b"", sender: Sender | None = None) -> None:
        """Send a packet, of a connection's or of this process. From any thread; never waits, and
        never raises.
        """
        waiting = self._waiting
        waiting.append((sender, kind, body))
        # In this order: whoever ends the gathering sends what is there by then.
        many = len(waiting) >= MAX_GATHERED or len(body) > MAX_JOINED
        if many or self._gatherer != threading.get_ident():
            self._flush()

    def start_gathering(self) -> None:
        """The running thread makes many calls in a row: what they send leaves together, with
        ``stop_gathering``, or before what another thread sends.
        """
        self._gatherer = threading.get_ident()

    def stop_gathering(self) -> None:
        """Let what has been gathered leave. From any thread."""
        self._gatherer = 0
        if self._waiting:
            self._flush()

    def _flush(self) -> None:
        """Send what waits: numbered and acknowledging as it leaves."""
        with self._lock:
            packets = []
            while self._waiting:
                sender, kind, body = self._waiting.popleft()
                packets.append(
                    pack(kind, body=body) if sender is None else sender.build(kind, body)
                )
            data = b"".join(packets)
            if data and not self._closed:
                self._outgoing.send(data, self._zmq.NOBLOCK)

    def tell_worked_on(self, connection: Sender) -> None:
        """Something of it has been worked on: acknowledge that soon."""
        due = self._due
        if connection not in due:
            due.add(connection)
            if len(due) == 1:
                self._wanted.set()

    def greet(self) -> None:
        """The front does not know us, or is another one."""
        self._greeted = False
        self._greeting += 1
        self._hello()

    def note_welcome(self) -> bool:
        """The front knows us; whether we did not know that."""
        was_greeted, self._greeted = self._greeted, True
        return not was_greeted

    def _hello(self) -> None:
        content = {
            "version": VERSION,
            "pid": os.getpid(),
            "namespace": find_namespace(),
            "capacity": self._capacity,
            "greeting": self._greeting,
        }
        self.send(Kind.HELLO, pack_json(content))

    def _keep_in_touch(self) -> None:
        """Beat, and acknowledge."""
        beaten = 0.0
        while not self._closed:
            if monotonic() - beaten >= BEAT_INTERVAL:
                beaten = monotonic()
                if self._greeted:
                    self.send(Kind.BEAT)
                else:
                    self._hello()
            self._wanted.wait(max(0.0, beaten + BEAT_INTERVAL - monotonic()))
            if self._wanted.is_set():
                self._wait_a_moment()
                self.acknowledge_all()
        self._service.end(lambda: False)

    def _wait_a_moment(self) -> None:
        threading.Event().wait(ACK_DELAY)

    def acknowledge_all(self) -> None:
        """Acknowledge what is due."""
        self._wanted.clear()
        due, self._due = self._due, set()
        for connection in due:
            connection.acknowledge()

    # Receiving

    def receive(self) -> list[Packet] | None:
        """The packets that come next; ``None`` once this is closed. One thread at a time.

        Raises:
            ValueError: they are none.
        """
        zmq, incoming = self._zmq, self._incoming
        try:
            data: bytes = incoming.recv()
        except zmq.ContextTerminated:
            incoming.close()
            return None
        return unpack(data)

    # The end

    def close(self) -> None:
        """Let what waits leave, and close. The receiving thread finds out; if it is busy nobody
        waits for it.
        """
        self._wanted.set()
        self._flush()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._outgoing.close(linger=LINGER)
        ended = start_thread(self._context.term, "dwebsocket-gateway-end")
        ended.join(LINGER / 1000)


def import_zmq(*, green: bool) -> Any:
    if green:
        import zmq.green

        return zmq.green
    import zmq

    return zmq


def find_namespace() -> str:
    """What tells the process numbers that we see from those of other containers."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    except OSError:
        return ""
