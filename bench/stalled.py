"""`python -m bench.stalled`: one reader that stops reading, among a thousand.

How long messages to a group take to the others, with it and without it, turn by turn: it joins,
does not read, and is closed when more waits for it than WEBSOCKET_MAX_SEND_BUFFER. Then it reads
what is left for it, and the server's memory should be what it was.
"""

import argparse
import http.client
import json
import socket
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench.crowd import status
from bench.members import TIMEOUT, MembersProcess, read
from bench.processes import Process, choose_cpus
from bench.servers import FANOUT, Server
from tests.raw_client import build_request

MEMBERS = 999
SIZE = 16384  # bytes of a message
CLOSE_1013 = (1013).to_bytes(2, "big")
SERVERS = {
    server.name: server
    for server in FANOUT
    if server.name in ("group_gthread", "group_gevent", "group_uvicorn")
}


@dataclass
class Stalled:
    """What was found on one server."""

    server: Server
    without: list[float] = field(default_factory=list)  # p99 in ms, by turn
    beside: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)  # KiB that were there for it in the end
    memory: list[float] = field(default_factory=list)  # MiB, before and after each turn

    @property
    def ratio(self) -> float:
        pairs = zip(self.beside, self.without, strict=True)
        return statistics.median(beside / without for beside, without in pairs)

    @property
    def growth(self) -> float:
        """MiB between the first turn's end and the last one's."""
        return self.memory[-1] - self.memory[1]


def measure(kind: Server, turns: int) -> Stalled:
    found = Stalled(kind)
    with ExitStack() as stack:
        server = stack.enter_context(Process(kind, choose_cpus()))
        members = stack.enter_context(MembersProcess([server], MEMBERS, SIZE))
        members.call("time_rounds", 50)
        rounds = 300
        found.memory.append(status(server.pid, "VmRSS") / 1024)
        for _ in range(turns):
            found.without.append(p99(members.call("time_rounds", rounds)))
            times = run_beside_stalled(server, members, found)
            found.beside.append(p99(times))
            rounds = len(times) // MEMBERS
            found.memory.append(status(server.pid, "VmRSS") / 1024)
    return found


def run_beside_stalled(server: Process, members: MembersProcess, found: Stalled) -> list[float]:
    """Times of all rounds from when it has joined until it is closed."""
    closed = ask(server)["slow"]
    with open_narrow(server) as reader:
        wait_for_members(server, MEMBERS + 1)
        times = []
        while ask(server)["slow"] == closed:
            times += members.call("time_rounds", 20)
        found.left.append(read_to_close(reader) / 1024)
    wait_for_members(server, MEMBERS)
    return times


def p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98] * 1e3


def open_narrow(server: Process) -> socket.socket:
    """The system holds little for it."""
    sock = socket.socket()
    sock.settimeout(TIMEOUT)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", server.port))
    sock.sendall(build_request(server.kind.path, f"127.0.0.1:{server.port}"))
    while not read(sock, 1).endswith(b"\n") or read(sock, 2) != b"\r\n":
        pass  # a header; the messages behind them stay where they are
    return sock


def read_to_close(sock: socket.socket) -> int:
    """How many bytes of messages were left for it, up to the Close with 1013."""
    count = 0
    while True:
        first, length = read(sock, 2)
        if first == 0x88:
            assert read(sock, length)[:2] == CLOSE_1013
            return count
        assert (first, length) == (0x81, 126), (first, length)
        count += len(read(sock, int.from_bytes(read(sock, 2), "big")))


def ask(server: Process) -> dict[str, int]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
    connection.request("GET", "/fanout/counts/", headers={"Connection": "close"})
    answer = json.load(connection.getresponse())
    connection.close()
    return answer


def wait_for_members(server: Process, count: int) -> None:
    deadline = time.monotonic() + TIMEOUT
    while ask(server)["members"] != count:
        assert time.monotonic() < deadline, f"not {count} members"
        time.sleep(0.01)


def describe(found: Stalled) -> str:
    return (
        f"{found.server.title}: p99 of a delivery {statistics.median(found.without):.2f} ms, "
        f"{statistics.median(found.beside):.2f} ms beside a reader that has stopped "
        f"({found.ratio:.2f} x); it was closed with 1013, {statistics.median(found.left):.0f} KiB "
        f"were left for it; memory {found.memory[1]:.1f} MiB after the first turn, "
        f"{found.memory[-1]:.1f} MiB after the last"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--server", choices=SERVERS, action="append", metavar="NAME")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    for name in options.server or SERVERS:
        print(describe(measure(SERVERS[name], options.turns)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
