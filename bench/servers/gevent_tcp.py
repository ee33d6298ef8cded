"""No WebSocket: the bytes of a TCP connection, echoed by gevent. What the I/O alone costs."""

from gevent.server import StreamServer

from bench.servers import BACKLOG, announce


def echo(sock, address):
    try:
        while data := sock.recv(65536):
            sock.sendall(data)
    except ConnectionError:
        pass


if __name__ == "__main__":
    server = StreamServer(("127.0.0.1", 0), echo, backlog=BACKLOG)
    server.start()
    announce(server.server_port)
    server.serve_forever()
