"""A transport over a real TCP connection of each kind, and its peer: a blocking socket."""

import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any

import eventlet.green.socket
import eventlet.green.ssl
import gevent.socket
import gevent.ssl

from dwebsocket.transports import Transport, create_transport

KINDS = ["threads", "threads-tls", "gevent", "gevent-tls", "eventlet", "eventlet-tls"]
TIMEOUT = 10.0


@dataclass
class Pair:
    transport: Transport
    peer: Any
    kind: str
    server_socket: Any = None

    @property
    def is_tls(self):
        return self.kind.endswith("-tls")

    def finish(self, condition):
        """Let others run until something has happened, with an absolute end."""
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            self.transport.sleep(0.002)

    def receive_all(self, size):
        deadline = time.monotonic() + TIMEOUT
        found = bytearray()
        while len(found) < size:
            buffer, count = self.transport.receive(deadline)
            assert count, "the stream ended"
            found += buffer[:count]
        return bytes(found)

    def close(self):
        self.peer.close()
        self.transport.sock.close()


def in_thread(function, *arguments):
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


def connect():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = socket.create_connection(listener.getsockname(), TIMEOUT)
        server, _ = listener.accept()
    server.settimeout(TIMEOUT)
    return server, peer


def make_pair(kind, certificates):
    server, peer = connect()
    server = wrap_plain(kind, server)
    if kind.endswith("-tls"):
        server, peer = start_tls(kind, server, peer, certificates)
    return Pair(create_transport(server), peer, kind)


def wrap_plain(kind, server):
    """A socket of this library in the place of a plain one."""
    if kind.startswith("gevent"):
        return gevent.socket.socket(fileno=server.detach())
    if kind.startswith("eventlet"):
        return eventlet.green.socket.socket(server.family, server.type, fileno=server.detach())
    return server


def make_context(kind, certificates):
    module = {"threads": ssl, "gevent": gevent.ssl, "eventlet": eventlet.green.ssl}
    context = module[kind.partition("-")[0]].SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    return context


def start_tls(kind, server, peer, certificates):
    found = []

    def handshake():
        found.append(certificates.client_context.wrap_socket(peer, server_hostname="127.0.0.1"))

    thread = in_thread(handshake)
    server = make_context(kind, certificates).wrap_socket(server, server_side=True)
    thread.join(TIMEOUT)
    return server, found[0]
