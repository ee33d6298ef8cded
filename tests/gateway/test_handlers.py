"""What a process with handlers does, whatever the front says."""

import os
import time

import pytest
import zmq

from dwebsocket.backends.gateway.wire import Kind, pack, pack_json, read_json, unpack
from tests.servers.process import wait_until

from .peer import TIMEOUT
from .processes import Gateway

OPENING = {
    "handshake": {
        "method": "GET",
        "path": "/counter/",
        "query": "",
        "version": "HTTP/1.1",
        "scheme": "http",
        "headers": [
            ("Host", "localhost"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-Websocket-Version", "13"),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "namespace": None,
    },
    "resumed": False,
    "state": {},
    "user": None,
    "number": 0,
}


class Front:
    """Speaks to one process with handlers as the front does."""

    def __init__(self, directory, context):
        self.epoch = os.urandom(16)
        self.name = b""
        self._come = []
        self.outgoing, self.incoming = (context.socket(zmq.ROUTER) for _ in range(2))
        self.outgoing.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.incoming.setsockopt(zmq.RCVTIMEO, TIMEOUT * 1000)
        self.outgoing.bind(f"ipc://{directory}/ws_push")
        self.incoming.bind(f"ipc://{directory}/ws_sub")

    def send(self, *packet, **options):
        self.outgoing.send_multipart((self.name, pack(*packet, **options)))

    def wait_for(self, kind):
        """The next packet of this kind."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:  # it beats meanwhile
            while self._come:
                packet = self._come.pop(0)
                if packet.kind is kind:
                    return packet
            self.name, data = self.incoming.recv_multipart()
            self._come += unpack(data)
        raise AssertionError(f"no {kind.name} has come")

    def welcome(self):
        """Once its other socket is connected."""

        def is_sent():
            try:
                self.send(Kind.WELCOME, self.epoch)
            except zmq.ZMQError:
                return False
            return True

        wait_until(is_sent, "it is connected", TIMEOUT)

    def close(self):
        for socket in (self.outgoing, self.incoming):
            socket.close(linger=0)


@pytest.fixture
def front():
    gateway, context = Gateway(front=False), zmq.Context()
    front = Front(gateway.run_directory, context)
    gateway.run("--handlers", "1")
    yield front
    front.close()
    context.term()
    gateway.stop()


def test_who_is_not_known_greets_anew(front):
    """And says so: it has its connections no longer than until it is welcomed."""
    first = read_json(front.wait_for(Kind.HELLO).body)
    front.welcome()
    front.send(Kind.BEAT)
    while (hello := read_json(front.wait_for(Kind.HELLO).body)) == first:  # said again, meanwhile
        pass
    assert hello == {**first, "greeting": first["greeting"] + 1}


def test_who_is_welcomed_again_keeps_what_it_has(front):
    """It has said hello twice, for the front was slow."""
    front.wait_for(Kind.HELLO)
    front.welcome()
    id = os.urandom(16)
    front.send(Kind.OPEN, id, body=pack_json(OPENING))
    front.wait_for(Kind.ACCEPT)
    for number, text in enumerate((b"a", b"b"), 1):
        front.send(Kind.TEXT, id, number, body=text)
        assert front.wait_for(Kind.TEXT).body.split()[:2] == [b"%d" % number, text]
        front.welcome()
