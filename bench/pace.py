"""`python -m bench.pace`: does one handler that takes a second hold up the others?

The 99th percentile of echoes of a hundred handlers, without and with a connection whose handler
sleeps for a second in every message.
"""

import argparse
import statistics
import sys
import threading
import time

from bench.crowd import open_socket
from bench.processes import Process, choose_cpus
from bench.servers import SERVERS
from tests.raw_client import TEXT, build_frame

OTHERS = 100
ANSWER = b"\x81\x04echo"


def measure_p99(sockets, seconds):
    """In ms; one message at a time, on one connection after the other."""
    found = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for sock in sockets:
            started = time.perf_counter()
            sock.sendall(build_frame(TEXT, "echo"))
            received = b""
            while len(received) < len(ANSWER):
                received += sock.recv(len(ANSWER) - len(received))
            found.append(time.perf_counter() - started)
            assert received == ANSWER, received
    return statistics.quantiles(found, n=100)[98] * 1000


def keep_busy(sock, stop):
    while not stop.is_set():
        sock.sendall(build_frame(TEXT, "1"))
        sock.recv(100)


def main() -> int:
    known = {server.name: server for server in SERVERS if server.name.startswith("handler_")}
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--server", default="handler_gthread", choices=known, metavar="NAME")
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    with Process(known[options.server], choose_cpus()) as server:
        sockets = [open_socket(server.port, "/handler/") for _ in range(OTHERS)]
        slow = open_socket(server.port, "/handler/slow/")
        measure_p99(sockets, 1)
        alone = measure_p99(sockets, options.seconds)
        stop = threading.Event()
        threading.Thread(target=keep_busy, args=(slow, stop), daemon=True).start()
        beside = measure_p99(sockets, options.seconds)
        stop.set()
    print(
        f"{known[options.server].title}: p99 of an echo {alone:.3f} ms, beside a handler that "
        f"sleeps {beside:.3f} ms ({beside / alone:.2f} x)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
