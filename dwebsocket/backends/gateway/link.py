"""The two ZeroMQ sockets of a process with handlers: packets from the front, and packets to it.

Each direction has a socket of its own. Whoever leads (``calls``) reads from the one; any thread
writes to the other, one at a time, and nobody ever waits for it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

from dwebsocket.supervisor import Service, start_thread

from .addresses import Addresses
from .wire import VERSION, Kind, pack, pack_json

__all__ = ["BEAT_INTERVAL", "Acknowledging", "Link", "find_namespace"]

#: Seconds between two heartbeats.
BEAT_INTERVAL = 1.0

#: Seconds after which what has been worked on is acknowledged, if no message has done it.
ACK_DELAY = 0.05

#: Packets that leave together, each a part of one ZeroMQ message.
MAX_GATHERED = 64

#: Packets that are taken in before handlers are called.
BATCH = 100

#: Milliseconds for what waits to leave when this process ends.
LINGER = 3000


class Acknowledging(Protocol):
    """A connection of which something has been worked on."""

    def acknowledge(self) -> None: ...


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
        self._gathered: list[bytes] = []
        self._due: set[Acknowledging] = set()
        self._wanted = threading.Event()
        self._closed = False
        self._greeted = False
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

    def send(self, data: bytes) -> None:
        """Send a packet. From any thread; never waits, and never raises."""
        self.send_numbered(lambda: data)

    def send_numbered(self, build: Callable[[], bytes]) -> None:
        """Send what ``build`` returns, which is called when nobody else sends."""
        with self._lock:
            if self._closed:
                return
            self._gathered.append(build())
            if self._gatherer != threading.get_ident() or len(self._gathered) >= MAX_GATHERED:
                self._send_gathered()

    def start_gathering(self) -> None:
        """The running thread makes many calls in a row: what they send leaves together, with
        ``stop_gathering``, or before what another thread sends.
        """
        self._gatherer = threading.get_ident()

    def stop_gathering(self) -> None:
        """Let what has been gathered leave. From any thread."""
        with self._lock:
            self._gatherer = 0
            if self._gathered and not self._closed:
                self._send_gathered()

    def _send_gathered(self) -> None:
        gathered, self._gathered = self._gathered, []
        if len(gathered) == 1:
            self._outgoing.send(gathered[0], self._zmq.NOBLOCK)
        else:
            self._outgoing.send_multipart(gathered, self._zmq.NOBLOCK)

    def tell_worked_on(self, connection: Acknowledging) -> None:
        """Something of it has been worked on: acknowledge that soon."""
        due = self._due
        if connection not in due:
            due.add(connection)
            if len(due) == 1:
                self._wanted.set()

    def greet(self) -> None:
        """The front does not know us, or is another one."""
        self._greeted = False
        self._hello()

    def note_welcome(self) -> None:
        """The front knows us."""
        self._greeted = True

    def _hello(self) -> None:
        content = {
            "version": VERSION,
            "pid": os.getpid(),
            "namespace": find_namespace(),
            "capacity": self._capacity,
        }
        self.send(pack(Kind.HELLO, body=pack_json(content)))

    def _keep_in_touch(self) -> None:
        """Beat, and acknowledge."""
        beaten = 0.0
        while not self._closed:
            if monotonic() - beaten >= BEAT_INTERVAL:
                beaten = monotonic()
                if self._greeted:
                    self.send(pack(Kind.BEAT))
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

    def receive(self) -> list[bytes]:
        """The packets that have come, at least one; none once this is closed. One thread at a
        time.
        """
        zmq, incoming = self._zmq, self._incoming
        try:
            found: list[bytes] = incoming.recv_multipart()
        except zmq.ContextTerminated:
            incoming.close()
            return []
        try:
            while len(found) < BATCH and incoming.getsockopt(zmq.EVENTS) & zmq.POLLIN:
                found += incoming.recv_multipart(zmq.NOBLOCK)
        except zmq.ContextTerminated:
            pass  # next time
        return found

    # The end

    def close(self) -> None:
        """Let what waits leave, and close. The receiving thread finds out; if it is busy nobody
        waits for it.
        """
        self._wanted.set()
        with self._lock:
            if self._closed:
                return
            if self._gathered:
                self._send_gathered()
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
