"""The clients of `bench.deploy`: some of them talk, some are members of a group, all compare what
they get. Those that are closed come again, as htmx does. One thread serves all of them.
"""

import random
import select
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import Callable

from tests.raw_client import TEXT, build_frame, build_request

#: Seconds between two looks at who is due.
TICK = 0.005

#: Handshakes under way, and seconds for anything.
AT_ONCE, TIMEOUT = 40, 60


class Found:
    """What was counted."""

    def __init__(self) -> None:
        self.sent = self.answers = self.lost = self.doubled = self.disordered = self.forgotten = 0
        self.group_sent = self.group_received = self.group_lost = self.group_doubled = 0
        self.closed: Counter[int | None] = Counter()
        self.refused = self.reconnects = 0
        self.away = self.silence = 0.0  # seconds
        self.silences: list[float] = []


class Client:
    """One of them. It numbers what it sends, and its handler numbers what it has got."""

    def __init__(self, is_member: bool):
        self.is_member = is_member
        self.sock: socket.socket | None = None
        self.is_open = False
        self.buffer = b""
        self.waiting: deque[tuple[int, float]] = deque()  # numbers, and when they were sent
        self.number = self.count = self.group = 0
        self.closed_at = 0.0
        self.tries = 0


class Clients:
    """All of them.

    Args:
        rate: messages a second, of all that talk; as many are asked for by a group's members.
    """

    def __init__(self, port: int, count: int, talkers: int, members: int, rate: float):
        self.found = Found()
        self._port = port
        self._all = [Client(number < members) for number in range(count)]
        step = max(1, count // talkers)
        self._talkers = self._all[members::step][:talkers]
        self._members = self._all[:members]
        self._interval = 1 / rate
        self._group_interval = members / rate
        self._by_fd: dict[int, Client] = {}
        self._poll = select.epoll()
        self._again: list[tuple[float, Client]] = []
        self._turn = self._group_number = 0

    # Opening

    def open(self) -> None:
        waiting, deadline = deque(self._all), time.monotonic() + TIMEOUT
        opening: set[Client] = set()
        while waiting or opening:
            while waiting and len(opening) < AT_ONCE:
                client = waiting.popleft()
                assert self._connect(client), "the server does not listen"
                opening.add(client)
            self._read(0.1)
            opening = {one for one in opening if not one.is_open}
            assert time.monotonic() < deadline, f"{len(opening)} handshakes are not answered"

    def _connect(self, client: Client) -> bool:
        try:
            client.sock = sock = socket.create_connection(("127.0.0.1", self._port), 5)
            path = "/deploy/member/" if client.is_member else "/deploy/"
            sock.sendall(build_request(path, f"127.0.0.1:{self._port}"))
        except OSError:
            self.found.refused += 1
            return False
        sock.setblocking(False)
        client.buffer = b""
        self._by_fd[sock.fileno()] = client
        self._poll.register(sock, select.EPOLLIN)
        return True

    # Talking

    def run(self, is_over: Callable[[], bool], *, talking: bool = True) -> None:
        """Talk and listen until that is so."""
        due = group_due = time.monotonic()
        looked = 0.0
        while True:
            now = time.monotonic()
            if now > looked + 0.05:
                looked = now
                if is_over():
                    return
            if talking:
                while due < now:
                    due += self._interval
                    self._talk(now)
                while group_due < now:
                    group_due += self._group_interval
                    self._tell()
            self._come_again(now)
            self._read(TICK)

    def _talk(self, now: float) -> None:
        self._turn += 1
        client = self._talkers[self._turn % len(self._talkers)]
        if client.is_open:
            client.number += 1
            client.waiting.append((client.number, now))
            self.found.sent += 1
            self._send(client, str(client.number))

    def _tell(self) -> None:
        """One member sends to all of them."""
        if self._members[0].is_open:
            self._group_number += 1
            self.found.group_sent += 1
            self._send(self._members[0], f"g {self._group_number}")

    def _send(self, client: Client, text: str) -> None:
        assert client.sock is not None
        try:
            client.sock.sendall(build_frame(TEXT, text))
        except OSError:
            pass  # its end is read

    def ask_all(self) -> None:
        """One message of each: everybody is still there."""
        for start in range(0, len(self._all), AT_ONCE):
            part = [one for one in self._all[start : start + AT_ONCE] if one.is_open]
            for client in part:
                client.number += 1
                client.waiting.append((client.number, time.monotonic()))
                self.found.sent += 1
                self._send(client, str(client.number))
            until = time.monotonic() + 5
            self.run(lambda p=part, u=until: is_done(p, u), talking=False)
        self.found.lost += sum(len(one.waiting) for one in self._all)

    # Listening

    def _read(self, timeout: float) -> None:
        for fd, _ in self._poll.poll(timeout):
            client = self._by_fd.get(fd)
            if client is None or client.sock is None:
                continue
            try:
                data = client.sock.recv(65536)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                self._close(client, None)
                continue
            client.buffer += data
            if not client.is_open and not self._open(client):
                continue
            self._parse(client)

    def _open(self, client: Client) -> bool:
        head, end, rest = client.buffer.partition(b"\r\n\r\n")
        if not end:
            return False
        if not head.startswith(b"HTTP/1.1 101"):
            self.found.refused += 1
            self._close(client, 0)
            return False
        client.buffer, client.is_open, client.count, client.tries = rest, True, 0, 0
        if client.closed_at:
            self.found.reconnects += 1
            self.found.away = max(self.found.away, time.monotonic() - client.closed_at)
            client.closed_at = 0.0
            client.group = -1  # whatever comes next is the first
        return True

    def _parse(self, client: Client) -> None:
        data = client.buffer
        while len(data) >= 2 and len(data) >= 2 + data[1]:
            assert data[1] < 126, "a frame that nobody has sent"
            payload, opcode = data[2 : 2 + data[1]], data[0] & 15
            data = data[2 + len(payload) :]
            if opcode == 8:
                self._close(client, struct.unpack_from("!H", payload)[0] if payload else 1005)
                return
            if opcode == 1:
                first, _, second = payload.partition(b" ")
                if first == b"g":
                    self._note_group(client, int(second))
                else:
                    self._note(client, int(first), int(second))
        client.buffer = data

    def _note(self, client: Client, number: int, count: int) -> None:
        found, now = self.found, time.monotonic()
        found.answers += 1
        client.count += 1
        found.forgotten += count != client.count
        client.count = count
        if not client.waiting or number < client.waiting[0][0]:
            found.doubled += 1
            return
        found.disordered += number != client.waiting[0][0]
        while client.waiting:
            wanted, since = client.waiting.popleft()
            if wanted == number:
                found.silences.append(now - since)
                return
            found.lost += 1

    def _note_group(self, client: Client, number: int) -> None:
        self.found.group_received += 1
        if number <= client.group:
            self.found.group_doubled += 1
            return
        if client.group >= 0:
            self.found.group_lost += number - client.group - 1
        client.group = number

    # Coming again

    def _close(self, client: Client, code: int | None) -> None:
        assert client.sock is not None
        fd = client.sock.fileno()
        self._poll.unregister(fd)
        del self._by_fd[fd]
        client.sock.close()
        client.sock, now = None, time.monotonic()
        if client.is_open:
            self.found.closed[code] += 1
            self.found.lost += len(client.waiting)
            client.closed_at = now
        client.is_open = False
        client.waiting.clear()
        self._later(client, now)

    def _later(self, client: Client, now: float) -> None:
        """At a random time, and after each try that fails in twice as long, as htmx does."""
        self._again.append((now + random.random() * 2 ** min(client.tries, 6), client))
        client.tries += 1

    def _come_again(self, now: float) -> None:
        if not self._again:
            return
        due = [client for when, client in self._again if when <= now]
        self._again = [(when, client) for when, client in self._again if when > now]
        for client in due:
            if not self._connect(client):
                self._later(client, now)

    @property
    def all_open(self) -> bool:
        return all(client.is_open for client in self._all)


def is_done(clients: list[Client], until: float) -> bool:
    return time.monotonic() > until or not any(client.waiting for client in clients)
