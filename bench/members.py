"""The members of a group, in a process of their own: each gets what one of them has sent to all.

That process is pinned to the load's processor, and has descriptors of its own: many groups are
measured turn by turn while all of them stay open.
"""

import multiprocessing
import os
import selectors
import socket
import statistics
import time
from typing import NamedTuple

from bench.crowd import open_socket
from bench.processes import Process
from tests.raw_client import TEXT, build_frame
from tests.servers.process import processor_time

TIMEOUT = 60  # seconds for anything
QUIET = 1  # seconds without anything after which nothing is under way
SMALL = 125  # bytes of a message, unless another size is asked for

fork = multiprocessing.get_context("fork")


class MembersError(Exception):
    """What went wrong in the members' process."""


class Members:
    """The connections, over one or several servers. Runs in the members' process."""

    def __init__(self, servers: list[Process], count: int, size: int):
        self._sockets = [self._open(servers[number % len(servers)]) for number in range(count)]
        self._go = build_frame(TEXT, str(size))  # whoever says so many bytes has them sent to all
        self._length = size + (2 if size < 126 else 4)

    @staticmethod
    def _open(server: Process) -> socket.socket:
        if server.kind.websocket:
            return open_socket(server.port, server.kind.path)
        return socket.create_connection(("127.0.0.1", server.port), TIMEOUT)

    def settle(self) -> None:
        """A handshake is answered before its member is in the group: send until all have it."""
        deadline, patience = time.monotonic() + TIMEOUT, max(1.0, len(self._sockets) / 1000)
        while not self.time_round(patience):
            if time.monotonic() > deadline:
                raise MembersError("not everybody joins")
        self._drain()

    def run_rounds(self, seconds: float) -> list[float]:
        """As many as fit in; how long each took until everybody had it."""
        found, deadline = [], time.monotonic() + seconds
        while not found or time.monotonic() < deadline:
            started = time.perf_counter()
            self._sockets[0].sendall(self._go)
            # The last one gets it last, or nearly so; nobody waits for the others meanwhile. To
            # wake a reader that waits is work for the sender's processor, and one that is on
            # another machine does not cost it that.
            for sock in reversed(self._sockets):
                read(sock, self._length)
            found.append(time.perf_counter() - started)
        return found

    def time_round(self, patience: float = TIMEOUT) -> list[float] | None:
        """One message; after how many seconds each member had it. None: some do not get it."""
        found, missing = [], dict.fromkeys(self._sockets, self._length)
        with selectors.DefaultSelector() as selector:
            for sock in self._sockets:
                selector.register(sock, selectors.EVENT_READ)
            started = time.perf_counter()
            self._sockets[0].sendall(self._go)
            while len(found) < len(self._sockets):
                ready = selector.select(patience)
                if not ready:
                    return None
                for key, _ in ready:
                    missing[key.fileobj] -= len(read(key.fileobj, 65536, at_least=1))
                    if missing[key.fileobj] <= 0:
                        found.append(time.perf_counter() - started)
                        selector.unregister(key.fileobj)
        return found

    def time_rounds(self, count: int) -> list[float]:
        """The same again and again: all times."""
        found = []
        for _ in range(count):
            found += self.time_round() or fail("not everybody gets it")
        return found

    def _drain(self) -> None:
        """Throw away what is still under way: of an earlier message nothing may come later."""
        with selectors.DefaultSelector() as selector:
            for sock in self._sockets:
                selector.register(sock, selectors.EVENT_READ)
            while ready := selector.select(QUIET):
                for key, _ in ready:
                    read(key.fileobj, 65536, at_least=1)


def read(sock: socket.socket, length: int, at_least: int | None = None) -> bytes:
    data = b""
    while len(data) < (length if at_least is None else at_least):
        more = sock.recv(length - len(data))
        if not more:
            raise MembersError("the server hung up")
        data += more
    return data


def fail(reason: str) -> list[float]:
    raise MembersError(reason)


class Turn(NamedTuple):
    """What was measured at a time.

    Attributes:
        cost: µs of the servers' processor time for one delivery.
        beside: that of another process.
        last: ms until the last member has a message.
    """

    cost: float
    beside: float
    last: float


class MembersProcess:
    """Opens the members; a context manager. Calls of Members' methods are carried to it."""

    def __init__(self, servers: list[Process], count: int, size: int = SMALL):
        self.servers = servers
        self.count = count
        self._here, there = fork.Pipe()
        arguments = (there, servers, count, size)
        self._process = fork.Process(target=obey, args=arguments, daemon=True)

    def __enter__(self) -> "MembersProcess":
        self._process.start()
        try:
            self._answer()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.join()

    def call(self, method: str, *arguments: float) -> list[float]:
        self._here.send((method, arguments))
        return self._answer()

    def _answer(self) -> list[float]:
        answer = self._here.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def measure(self, seconds: float, beside: int | None = None) -> "Turn":
        """Send to everybody for so long; `beside` is a process whose time is measured, too."""
        pids = [[server.pid for server in self.servers], [] if beside is None else [beside]]
        before = [sum(map(processor_time, some)) for some in pids]
        times = self.call("run_rounds", seconds)
        spent = [
            sum(map(processor_time, some)) - begun for some, begun in zip(pids, before, strict=True)
        ]
        cost, beside_cost = (one / (len(times) * self.count) * 1e6 for one in spent)
        return Turn(cost, beside_cost, statistics.median(times) * 1e3)


def obey(connection, servers: list[Process], count: int, size: int) -> None:
    """The members' process."""
    if servers[0].load_cpu is not None:
        os.sched_setaffinity(0, {servers[0].load_cpu})
    try:
        members = Members(servers, count, size)
        members.settle()
        connection.send([])
        while True:
            method, arguments = connection.recv()
            connection.send(getattr(members, method)(*arguments))
    except Exception as error:
        connection.send(MembersError(f"{type(error).__name__}: {error}"))
