"""What speaks to the front in the place of a process with handlers."""

import os

import zmq

from dwebsocket.backends.gateway.link import find_namespace
from dwebsocket.backends.gateway.wire import VERSION, Kind, pack, pack_json, unpack
from tests.servers.process import wait_until

TIMEOUT = 30


class Peer:
    """Speaks to the front as a process with handlers does, or as somebody else."""

    def __init__(self, gateway, context):
        name = os.urandom(16)
        self._come = []
        self._sockets = []
        for file in ("ws_push", "ws_sub"):
            socket = context.socket(zmq.DEALER)
            socket.setsockopt(zmq.LINGER, 1000)
            socket.setsockopt(zmq.ROUTING_ID, name)
            socket.setsockopt(zmq.RCVTIMEO, TIMEOUT * 1000)
            socket.connect(f"ipc://{gateway.run_directory}/{file}")
            self._sockets.append(socket)
        self.incoming, self.outgoing = self._sockets

    def send(self, *packet, **options):
        self.outgoing.send(pack(*packet, **options))

    def wait_for(self, kind):
        """The next packet of this kind."""
        while True:
            while self._come:  # several may come together: the others wait for their turn
                packet = self._come.pop(0)
                if packet.kind is kind:
                    return packet
            self._come += unpack(self.incoming.recv())

    def greet(self, greeting=0):
        """Be a process with handlers: this one, which is seen to be alive."""
        hello = {
            "version": VERSION,
            "pid": os.getpid(),
            "namespace": find_namespace(),
            "capacity": 1,
            "greeting": greeting,
        }
        wait_until(lambda: self._is_welcome(hello), "the front answers", TIMEOUT)

    def wait_until_heard(self):
        """The front has worked on what others had sent before: its answers come in turn."""
        for _ in range(3):
            wait_until(self._is_answered, "the front answers", TIMEOUT)

    def _is_answered(self):
        self.send(Kind.BEAT)
        return self.incoming.poll(100) and self.incoming.recv()

    def _is_welcome(self, hello):
        self.send(Kind.HELLO, body=pack_json(hello))
        return self.incoming.poll(100)

    def accept(self, id):
        """Accept a handshake, for a handler."""
        answer = {"subprotocol": None, "headers": [], "user": None, "handler": True}
        self.send(Kind.ACCEPT, id, 1, 0, pack_json(answer))

    def close(self):
        for socket in self._sockets:
            socket.close()
