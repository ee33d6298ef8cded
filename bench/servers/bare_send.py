"""No WebSocket and no Django: socket.send of the same frame to every connection, nothing else."""

import selectors
import socket

from bench.servers import BACKLOG, announce

FRAME = bytes([0x81, 125]) + b"x" * 125


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    announce(listener.getsockname()[1])
    members = []
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    member, _ = listener.accept()
                    member.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    selector.register(member, selectors.EVENT_READ)
                    members.append(member)
                elif key.fileobj.recv(1000):
                    for member in members:
                        member.send(FRAME, socket.MSG_DONTWAIT)


if __name__ == "__main__":
    main()
