"""All connections of the front, and all processes with handlers: who gets which, and what their
packets do.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from dwebsocket.backends.gateway.addresses import Addresses
from dwebsocket.backends.gateway.wire import VERSION, Kind, Packet, pack, read_json
from dwebsocket.conf import conf
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.supervisor import log_failure, log_now_and_then

from .connection import Answer, Connection
from .packets import FOREIGN, Packets
from .workers import Worker, choose

__all__ = ["Hub"]

NO_HANDLER = (
    "No process with handlers has room for this connection. Try again later. (Is one running? "
    "`manage.py run_wsserver --handlers 1` starts one.)\n"
)

MESSAGES = frozenset({Kind.TEXT, Kind.BINARY})

#: Seconds between two looks at clients of whom nothing is read.
HANG_UP_INTERVAL = 0.5


class Hub:
    """Owns the connections; each has one process, or waits for one.

    Attributes:
        lock: guards what follows, and sending; held for an instant.

    Args:
        wait: seconds that a handshake waits for a process.
        grace: seconds that an open connection does.
    """

    def __init__(self, addresses: Addresses, wait: float, grace: float) -> None:
        self.lock = threading.RLock()
        self._wait, self._grace = wait, grace
        self._epoch = os.urandom(16)  # tells this front from the one before
        self._packets = Packets(addresses, self.take_in)
        self._workers: dict[bytes, Worker] = {}
        self._connections: dict[bytes, Connection] = {}
        self._waiting: dict[bytes, Connection] = {}  # in the order in which they came
        self._slow: set[Connection] = set()
        self._paused: set[Connection] = set()
        self._looked = 0.0

    def start(self) -> None:
        """Work from now on."""
        self._packets.start()

    def close(self) -> None:
        """Let go of the addresses."""
        self._packets.close()

    @property
    def counts(self) -> tuple[int, int]:
        """How many processes take connections, and how many connections there are."""
        workers = sum(not worker.is_leaving for worker in list(self._workers.values()))
        return workers, len(self._connections)

    # Handshakes

    def ask(self, handshake: dict[str, Any], answer: Callable[[Answer], None]) -> Connection:
        """A handshake has come: have a process answer it. ``answer`` is called from any thread."""
        connection = Connection(self, os.urandom(16), handshake, answer)
        with self.lock:
            self._connections[connection.id] = connection
            self._place(connection)
            self._packets.flush()
        return connection

    def _place(self, connection: Connection) -> None:
        """Find a process for it, or have it wait."""
        worker = choose(self._workers.values())
        if worker is None:
            if connection.id not in self._waiting:
                patience = self._grace if connection.is_accepted else self._wait
                connection.until = monotonic() + patience
                self._waiting[connection.id] = connection
            return
        self._waiting.pop(connection.id, None)
        worker.connections.add(connection.id)
        connection.give_to(worker.name)
        if connection.closing is not None:
            self._forget(connection)

    def _place_waiting(self) -> None:
        for connection in list(self._waiting.values()):
            if choose(self._workers.values()) is None:
                return
            self._place(connection)

    def _forget(self, connection: Connection) -> None:
        self._connections.pop(connection.id, None)
        self._waiting.pop(connection.id, None)
        self._slow.discard(connection)
        self._paused.discard(connection)
        connection.forget()
        worker = self._workers.get(connection.owner or b"")
        if worker is not None:
            was_full = not worker.has_room
            worker.connections.discard(connection.id)
            if was_full and worker.has_room:
                self._place_waiting()

    # What connections say, with the lock held

    def send_to_owner(self, connection: Connection, *packets: bytes) -> None:
        """Send packets to the process whose it is."""
        assert connection.owner is not None
        for packet in packets:
            self._packets.send(connection.owner, packet)

    def let_leave(self) -> None:
        """Let the packets leave, unless more of them come at once. With the lock or without."""
        if self._packets.has_waiting:
            with self.lock:
                self._packets.flush_last()

    def note_end(self, connection: Connection) -> None:
        """The client's side has ended: somebody is told so, now or later."""
        if connection.owner is not None:
            connection.tell_end()
            self._forget(connection)
        elif not (connection.is_accepted and connection.has_handler):
            self._forget(connection)

    def note_slow(self, connection: Connection) -> None:
        """Look at it again soon."""
        if connection not in self._slow:
            connection.slow_until = monotonic() + conf.CLOSE_TIMEOUT
            self._slow.add(connection)

    def note_paused(self, connection: Connection) -> None:
        """Nobody reads of it, and so nobody would see that its client has left."""
        self._paused.add(connection)

    # What processes say

    def take_in(self, name: bytes, packets: list[Packet]) -> None:
        """Do what packets of a process say. Never raises."""
        worker = self._workers.get(name)
        if worker is not None:
            worker.hear(monotonic())
        for run in find_runs(packets):
            try:
                if not self._do(name, run):
                    log_now_and_then("gateway", FOREIGN)
            except (ValueError, KeyError, TypeError):
                log_now_and_then("gateway", FOREIGN)
            except Exception:
                log_failure("A packet of a process with handlers could not be worked on")
        with self.lock:
            self._packets.flush()

    def _do(self, name: bytes, run: list[Packet]) -> bool:
        packet = run[0]
        kind = packet.kind
        if kind is Kind.HELLO:
            return self._meet(name, read_json(packet.body))
        worker = self._workers.get(name)
        if worker is None:  # it has been given up, or knows another front
            with self.lock:
                self._packets.send(name, pack(Kind.BEAT))
            return kind in (Kind.BEAT, Kind.LEAVING, Kind.GONE, Kind.ACK)
        if kind in MESSAGES:
            connection = self._find(worker, packet)
            return connection is None or connection.take_in_messages(run)
        if kind is Kind.BEAT:
            with self.lock:
                self._packets.send(name, pack(Kind.BEAT, self._epoch))
        elif kind is Kind.LEAVING:
            worker.is_leaving = True
        elif kind is Kind.GONE:
            self._lose(worker)
        else:
            return self._do_to_connection(worker, packet)
        return True

    def _meet(self, name: bytes, hello: dict[str, Any]) -> bool:
        if hello["version"] != VERSION or len(name) != 16:
            return False
        worker = Worker(name, hello, monotonic())
        with self.lock:
            before = self._workers.get(name)
            # Who has waited long for the answer says the same again: what it has been given it has.
            is_known = before is not None and before.greeting == worker.greeting
            if not is_known:
                if before is not None:
                    self._lose(before)
                self._workers[name] = worker  # before it knows
            if self._packets.send_now(name, pack(Kind.WELCOME, self._epoch)):
                self._place_waiting()
            elif not is_known:
                del self._workers[name]  # its other socket is not connected yet
        return True

    def _find(self, worker: Worker, packet: Packet) -> Connection | None:
        """The connection of a packet; ``None``: its client has just left.

        Raises:
            ValueError: it is not this process's.
        """
        connection = self._connections.get(packet.connection)
        if connection is not None and connection.owner != worker.name:
            raise ValueError("another's")
        return connection

    def _do_to_connection(self, worker: Worker, packet: Packet) -> bool:
        connection = self._find(worker, packet)
        if connection is None:
            return True
        if packet.kind >= Kind.WELCOME or not connection.take_in(packet):
            return False
        if packet.kind is Kind.BYE:
            with self.lock:
                worker.connections.discard(connection.id)
                connection.take_back(killed=False)
                self._place(connection)
        elif packet.kind is Kind.REFUSE:
            self._refuse(connection, packet.body)
        return True

    def _refuse(self, connection: Connection, body: bytes) -> None:
        end = 4 + int.from_bytes(body[:4], "big")
        head = read_json(body[4:end])
        headers = [(str(key), str(value)) for key, value in head["headers"]]
        connection.refuse(Answer(int(head["status"]), headers, None, body[end:]))
        if not connection.is_accepted:
            with self.lock:
                self._forget(connection)

    def _lose(self, worker: Worker) -> None:
        """A process has gone: its connections go to others, where those can go on with them."""
        with self.lock:
            self._workers.pop(worker.name, None)
            lost = [self._connections[id] for id in worker.connections if id in self._connections]
            worker.connections.clear()
            for connection in lost:
                connection.take_back(killed=True)
                if connection.has_handler or not connection.is_accepted:
                    self._place(connection)
        for connection in lost:
            if connection.owner is None and connection.id not in self._waiting:
                connection.close(CloseCode.SERVICE_RESTART, "")

    # Now and then

    def look_after(self) -> None:
        """Find out who has gone, and whose time is up."""
        now = monotonic()
        for worker in list(self._workers.values()):
            if worker.is_dead(now):
                log_now_and_then(
                    "gateway-worker", "The process %d with handlers has ended", worker.pid
                )
                self._lose(worker)
        for connection in list(self._slow):
            if connection.give_credit() and now > connection.slow_until:
                self._slow.discard(connection)
                if connection.websocket is not None:
                    connection.websocket._answer_end()
        if now - self._looked > HANG_UP_INTERVAL:
            self._looked = now
            for connection in list(self._paused):
                if not connection.check_paused():
                    self._paused.discard(connection)
        for connection in list(self._waiting.values()):
            if now > connection.until:
                self._give_up(connection)
        with self.lock:
            self._packets.flush()

    def _give_up(self, connection: Connection) -> None:
        if not connection.is_accepted:
            headers = [("Retry-After", "1"), ("Content-Type", "text/plain; charset=utf-8")]
            connection.refuse(Answer(503, headers, None, NO_HANDLER.encode()))
        elif connection.closing is None:
            connection.close(CloseCode.SERVICE_RESTART, "")
        with self.lock:
            self._waiting.pop(connection.id, None)
            if connection.closing is not None or not connection.is_accepted:
                self._forget(connection)


def find_runs(packets: list[Packet]) -> Iterator[list[Packet]]:
    """Messages of one connection that follow each other together, each other packet alone."""
    run: list[Packet] = []
    for packet in packets:
        last = run[-1] if run else packet
        together = packet.kind in MESSAGES and last.kind in MESSAGES
        if run and not (together and packet.connection == last.connection):
            yield run
            run = []
        run.append(packet)
    if run:
        yield run
