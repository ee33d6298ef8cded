"""Many clients in a process of their own: python -m tests.connections.crowd PORT COUNT.

It says READY when all have their 101 and answer, and holds them until its input ends.
"""

import resource
import socket
import sys
from itertools import islice

from ..raw_client import PING, build_frame, build_request

#: Handshakes under way.
AT_ONCE = 50


def main(port, count):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clients = []
    numbers = iter(range(count))
    while batch := list(islice(numbers, AT_ONCE)):
        new = [socket.create_connection(("127.0.0.1", port), 60) for _ in batch]
        for client in new:
            client.sendall(build_request("/handler/echo/quietly/", f"127.0.0.1:{port}"))
        for client in new:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                received = client.recv(1000)
                assert received, head
                head += received
            assert head.startswith(b"HTTP/1.1 101"), head
        for client in new:  # it counts when its 101 has left
            client.sendall(build_frame(PING))
        for client in new:
            pong = client.recv(1) + client.recv(1)
            assert pong == b"\x8a\x00", pong
        clients += new
    print("READY", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
