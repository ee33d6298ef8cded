"""An Engine.IO client of bytes, which knows both transports, and counts where it is to come back.

As a RawClient it does what it is told; what comes back is for the test to look at.
"""

import base64
import json
from urllib.parse import quote

from .raw_client import BINARY, CLOSE, TEXT, RawClient, build_frame

SEPARATOR = "\x1e"


def encode(packet):
    return packet if isinstance(packet, str) else "b" + base64.b64encode(packet).decode()


def decode(packet):
    return base64.b64decode(packet[1:]) if packet[:1] == "b" else packet


class EngineClient:
    """One client of a view's address.

    Attributes:
        opened: what the last open packet said.
        got: packets that are messages, in their order.
        timeout: seconds that an answer may take.
    """

    timeout = 10.0

    def __init__(self, server, address, *, resume=False, headers=()):
        self.server = server
        self.address = f"{address}{'&' if '?' in address else '?'}EIO=4"
        if resume:
            self.address += "&resume=1"
        self.headers = dict(headers)
        self.opened = {}
        self.got = []
        self.websocket = None
        self._clients = []

    # Requests

    def url(self, transport, **query):
        further = "".join(f"&{name}={quote(str(value))}" for name, value in query.items())
        return f"{self.address}&transport={transport}{further}"

    def connect(self):
        next_server = getattr(self.server, "next_server", None)
        server = next_server() if next_server else self.server
        self._clients.append(RawClient(server, self.timeout))
        return self._clients[-1]

    def ask(self, method="GET", body=None, *, headers=(), **query):
        """Send a polling request; the connection, whose response is to be read."""
        client = self.connect()
        fields = {**self.headers, **dict(headers)}
        data = b"" if body is None else body
        if body is not None:
            fields = {"Content-Length": str(len(data)), "Content-Type": "text/plain", **fields}
        client.send_request(
            self.url("polling", **query),
            method=method,
            headers=fields.items(),
            websocket=False,
            early=data,
        )
        return client

    def request(self, method="GET", body=None, **query):
        client = self.ask(method, body, **query)
        try:
            return client.read_response()
        finally:
            client.hang_up()

    @property
    def sid(self):
        return self.opened["sid"]

    # Polls

    def open_polls(self, **query):
        """The handshake; what it has brought besides the open packet."""
        response = self.request(**query)
        assert response.status == 200, response
        return self.take(response.body)

    def poll(self, **query):
        """What one poll brings."""
        response = self.request(sid=self.sid, **query)
        assert response.status == 200, response
        return self.take(response.body)

    def post(self, *packets, **query):
        body = SEPARATOR.join(encode(packet) for packet in packets).encode()
        response = self.request("POST", body, sid=self.sid, **query)
        assert (response.status, response.body) == (200, b"ok"), response

    def poll_until(self, count):
        """Poll until so many messages have come, in all."""
        while len(self.got) < count:
            if "2" in self.poll():
                self.post("3")
        return self.got

    def take(self, body):
        packets = [decode(packet) for packet in body.decode().split(SEPARATOR)]
        for packet in packets:
            self.note(packet)
        return packets

    def note(self, packet):
        """Keep what a packet says."""
        if isinstance(packet, bytes) or packet[:1] == "4":
            self.got.append(packet)
        elif packet[:1] == "0":
            self.opened = json.loads(packet[1:])

    # A WebSocket

    def dial(self, **query):
        """Open a WebSocket, whatever it is for."""
        client = self.connect()
        client.open(self.url("websocket", **query), headers=self.headers.items())
        return client

    def open_websocket(self, **query):
        self.websocket = self.dial(**query)
        return self.read()

    def upgrade(self):
        """Change over from polls, of which none is waiting."""
        websocket = self.dial(sid=self.sid)
        websocket.send_text("2probe")
        assert websocket.read_text() == "3probe"
        websocket.send_text("5")
        self.websocket = websocket

    def send(self, packet):
        self.websocket.send_bytes(as_frame(packet))

    def read(self):
        """The next packet, or the code of a Close."""
        frame = self.websocket.read_past_pings()
        if frame.opcode == CLOSE:
            return frame.close_code
        packet = decode(frame.payload.decode()) if frame.opcode == TEXT else frame.payload
        self.note(packet)
        return packet

    def read_until(self, count):
        """Read until so many messages have come, in all."""
        while len(self.got) < count:
            packet = self.read()
            assert not isinstance(packet, int), packet
            if packet[:1] == "2":
                self.send("3" + (str(len(self.got)) if "resume" in self.opened else ""))
        return self.got

    def hang_up(self):
        for client in self._clients:
            client.hang_up()


def as_frame(packet):
    return build_frame(TEXT if isinstance(packet, str) else BINARY, packet)
