"""`python -m bench.fanout`: what it costs to send one message to many.

Opens members of one group, has one of them say "everybody gets this", waits until everybody has it,
and does so again and again. The figure is the processor time of the servers for one delivery. A
bare loop of socket.send is measured in the same run. With --redis the members are spread over
several processes, and a redis-server of its own carries the messages.
"""

import argparse
import os
import resource
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.crowd import open_socket
from bench.processes import Process, choose_cpus
from bench.servers import BARE_SEND, FANOUT
from tests.raw_client import TEXT, build_frame

TIMEOUT = 60  # seconds for one round
FRAME = bytes([0x81, 125]) + b"x" * 125
GO = build_frame(TEXT, b"go")
TICKS = os.sysconf("SC_CLK_TCK")


def processor_time(pid: int) -> float:
    """Seconds, of all threads, those that have ended, too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Members:
    """The connections of one group, over one or several processes."""

    def __init__(self, servers: list[Process], count: int):
        self._servers = servers
        self._selector = selectors.DefaultSelector()
        self._sockets = [self._open(servers[number % len(servers)]) for number in range(count)]
        self._counts = dict.fromkeys(self._sockets, 0)
        for sock in self._sockets:
            self._selector.register(sock, selectors.EVENT_READ)

    @staticmethod
    def _open(server: Process) -> socket.socket:
        if server.kind.websocket:
            return open_socket(server.port, server.kind.path)
        return socket.create_connection(("127.0.0.1", server.port), TIMEOUT)

    def settle(self) -> None:
        """A handshake is answered before its member is in the group: send until all have it."""
        deadline = time.monotonic() + TIMEOUT
        while not self._send(1):
            assert time.monotonic() < deadline, "not everybody joins"
        time.sleep(1)  # what is still under way
        self._drain(0.1)

    def send_round(self) -> float:
        """One message to everybody; seconds until the last one had it."""
        started = time.perf_counter()
        assert self._send(TIMEOUT), f"not everybody has it after {TIMEOUT} s"
        return time.perf_counter() - started

    def _send(self, timeout: float) -> bool:
        self._sockets[0].sendall(GO)
        counts = dict.fromkeys(self._sockets, 0)
        missing, deadline = len(counts), time.monotonic() + timeout
        while missing:
            ready = self._selector.select(max(0, deadline - time.monotonic()))
            if not ready:
                return False
            for key, _ in ready:
                data = key.fileobj.recv(65536)
                assert data, "the server hung up"
                before = counts[key.fileobj]
                counts[key.fileobj] += len(data)
                missing -= before < len(FRAME) <= counts[key.fileobj]
        return True

    def _drain(self, silence: float) -> None:
        while ready := self._selector.select(silence):
            for key, _ in ready:
                key.fileobj.recv(65536)

    def processor_time(self) -> float:
        return sum(processor_time(server.pid) for server in self._servers)

    def close(self) -> None:
        self._selector.close()
        for sock in self._sockets:
            sock.close()


def measure(kind, processes: int, count: int, seconds: float, cpus) -> tuple[float, float]:
    """Microseconds of processor time a delivery, and milliseconds until the last one has it."""
    with ExitStack() as stack:
        servers = [stack.enter_context(Process(kind, cpus)) for _ in range(processes)]
        members = Members(servers, count)
        stack.callback(members.close)
        members.settle()
        before, deadline, times = members.processor_time(), time.monotonic() + seconds, []
        while time.monotonic() < deadline or len(times) < 3:
            times.append(members.send_round())
        spent = members.processor_time() - before
    return spent / (len(times) * count) * 1e6, statistics.median(times) * 1e3


def start_redis(stack: ExitStack) -> str:
    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
    path = Path(directory) / "redis.sock"
    process = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", directory],
        stdout=subprocess.DEVNULL,
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    deadline = time.monotonic() + TIMEOUT
    while not path.exists():
        assert time.monotonic() < deadline, "redis-server does not start"
        time.sleep(0.05)
    return f"unix://{path}"


def allow_descriptors(count: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if count + 100 > hard:
        sys.exit(f"{count} members need as many descriptors; this process may open {hard} files.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> int:
    known = {server.name: server for server in FANOUT}
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--only", default=",".join(known), metavar="SERVER[,…]")
    parser.add_argument("--members", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--redis", type=int, default=0, metavar="PROCESSES")
    options = parser.parse_args()
    kinds = [BARE_SEND, *(known[name] for name in options.only.split(","))]
    allow_descriptors(max(options.members))
    with ExitStack() as stack:
        if options.redis:
            os.environ["BENCH_REDIS"] = start_redis(stack)
            kinds.remove(BARE_SEND)
        for count in options.members:
            report(kinds, count, options)
    return 0


def report(kinds, count: int, options: argparse.Namespace) -> None:
    """Every server once, then again: a noisy minute hits all of them."""
    found = {kind: [] for kind in kinds}
    for _ in range(options.rounds):
        for kind in kinds:
            processes = options.redis or 1
            found[kind].append(measure(kind, processes, count, options.seconds, choose_cpus()))
    bare = statistics.median(cost for cost, _ in found[kinds[0]])
    for kind, results in found.items():
        cost = statistics.median(cost for cost, _ in results)
        last = statistics.median(last for _, last in results)
        print(
            f"{count:,} members, {kind.title}: {cost:.2f} µs a delivery ({cost / bare:.2f} x "
            f"{kinds[0].title}); the last one has it after {last:.1f} ms",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
