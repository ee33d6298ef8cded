"""`python -m bench.crowd`: very many sockets in one worker of few threads, and HTTP beside them.

Opens WebSockets to a handler of the bench's project, lets each of them echo again and again, asks
for a plain page all the while, and says what that cost: memory a connection, threads, and how long
the page took with and without the sockets.
"""

import argparse
import http.client
import random
import selectors
import socket
import statistics
import sys
import threading
import time
from pathlib import Path

from bench.processes import Process, choose_cpus
from bench.servers import CROWD, SERVERS
from tests.raw_client import TEXT, build_frame, build_request

#: Sockets that echo at the same time, and handshakes under way.
AT_ONCE = 200
TIMEOUT = 30  # seconds for anything


class Page(threading.Thread):
    """Asks for the plain page until it is stopped, with a connection for each request."""

    def __init__(self, port: int):
        super().__init__(daemon=True)
        self._port = port
        self._stopped = threading.Event()
        self.seconds: list[float] = []

    def run(self):
        while not self._stopped.wait(0.01):
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)
            started = time.perf_counter()
            connection.request("GET", "/plain/")
            assert connection.getresponse().read() == b"plain"
            self.seconds.append(time.perf_counter() - started)
            connection.close()

    def stop(self) -> float:
        """The 99th percentile, in ms."""
        self._stopped.set()
        self.join()
        return statistics.quantiles(self.seconds, n=100)[98] * 1000


def open_socket(port: int, path: str) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    sock.sendall(build_request(path, f"127.0.0.1:{port}"))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1000)  # a handler that says nothing first
    assert head.startswith(b"HTTP/1.1 101"), head
    return sock


def echo(sockets: list[socket.socket], number: int) -> None:
    """One message on each, all under way at once; every answer is compared."""
    with selectors.DefaultSelector() as selector:
        for position, sock in enumerate(sockets):
            text = f"{number:08}{position:08}".encode()
            sock.sendall(build_frame(TEXT, text))
            selector.register(sock, selectors.EVENT_READ, [bytes([0x81, len(text)]) + text, b""])
        waiting, deadline = len(sockets), time.monotonic() + TIMEOUT
        while waiting:
            assert time.monotonic() < deadline, f"{waiting} answers are missing"
            for key, _ in selector.select(1):
                wanted, found = key.data
                key.data[1] = found = found + key.fileobj.recv(1000)
                assert found, "the server hung up"
                if len(found) >= len(wanted):
                    assert found == wanted, (found, wanted)
                    selector.unregister(key.fileobj)
                    waiting -= 1


def status(pid: int, name: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition(f"{name}:")[2].split()[0])


def measure(server: Process, count: int, seconds: float) -> None:
    port, pid, path = server.port, server.pid, server.kind.path
    some = [open_socket(port, path) for _ in range(AT_ONCE)]
    echo(some, 0)
    for sock in some:
        sock.close()
    page = Page(port)
    page.start()
    time.sleep(seconds / 2)
    alone = page.stop()

    before, started = status(pid, "VmRSS"), time.monotonic()
    sockets = [open_socket(port, path) for _ in range(count)]
    opening = time.monotonic() - started
    memory = (status(pid, "VmRSS") - before) / count

    page = Page(port)
    page.start()
    rounds, deadline = 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        echo(random.sample(sockets, AT_ONCE), rounds)
        rounds += 1
        time.sleep(0.1)
    beside = page.stop()
    threads = status(pid, "Threads")
    for start in range(0, count, AT_ONCE):  # and every single one is still there
        echo(sockets[start : start + AT_ONCE], rounds)
    print(
        f"{server.kind.title}: {count:,} sockets opened in {opening:.1f} s, "
        f"{rounds * AT_ONCE + count:,} echoes, none lost; {memory:.2f} KiB a connection; "
        f"{threads} threads; the page's p99 {alone:.2f} ms alone, {beside:.2f} ms beside them "
        f"({beside / alone:.2f} x)",
        flush=True,
    )


def main() -> int:
    known = {server.name: server for server in (*SERVERS, *CROWD)}
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--server", default="handler_light", choices=known, metavar="NAME")
    parser.add_argument("--sockets", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    with Process(known[options.server], choose_cpus()) as server:
        measure(server, options.sockets, options.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
