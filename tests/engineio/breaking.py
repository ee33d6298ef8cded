"""A client that counts, and whose connections break at any byte, in both directions."""

import random
import struct
from contextlib import suppress

from ..engine_client import EngineClient, as_frame, decode
from ..raw_client import TEXT

BROKEN = (EOFError, OSError, TimeoutError)


class BreakingClient(EngineClient):
    """Sends numbered messages to an echo, over connections that break.

    Attributes:
        sent: all that is to arrive, whether it has or not.
        breaks: how many connections have broken.
    """

    def __init__(self, server, address, seed):
        super().__init__(server, address, resume=True)
        self.random = random.Random(seed)
        self.sent = []
        self.breaks = 0

    def add(self, count):
        """Have more to send, of which some is binary."""
        for _ in range(count):
            number, size = len(self.sent), self.random.choice([1, 5, 200, 3000])
            text = f"{number}:" + "x" * size
            self.sent.append(text.encode() if number % 3 == 0 else "4" + text)

    # Over WebSockets

    def break_websocket(self, **query):
        """Come back, send from where the server is, and break somewhere."""
        client = self.dial(**query)
        self.note(client.read_text())
        told = self.opened.get("received", 0)
        data = b"".join(as_frame(packet) for packet in self.sent[told : told + 10])
        with suppress(*BROKEN):
            client.send_bytes(data[: self.random.randrange(len(data) + 1)])
            self.read_frames(client, self.random.randrange(len(data) + 1))
        self.cut(client)

    def read_frames(self, client, most):
        """Read some bytes; what is whole has come."""
        client._socket.settimeout(0.02)
        with suppress(TimeoutError):
            while most > 0 and (data := client._socket.recv(min(4096, most))):
                client.received += data
                most -= len(data)
        for packet in whole_frames(client):
            self.note(packet)

    def cut(self, client):
        self.breaks += 1
        if self.random.random() < 0.5:
            client.reset()
        else:
            client.hang_up()

    # Over polls

    def break_post(self):
        """Send a POST, and break within it, or before its answer."""
        first = self.random.randrange(len(self.sent))
        body = "\x1e".join(
            packet if isinstance(packet, str) else encode_binary(packet)
            for packet in self.sent[first : first + 10]
        ).encode()
        client = self.connect()
        host = client.host
        head = (
            f"POST {self.url('polling', sid=self.sid, sent=first)} HTTP/1.1\r\nHost: {host}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        data = head + body
        with suppress(*BROKEN):
            client.send_bytes(data[: self.random.randrange(len(data) + 1)])
        self.cut(client)

    def break_poll(self):
        """Wait for something, and break within the answer."""
        client = self.ask(sid=self.sid, after=len(self.got))
        with suppress(*BROKEN):
            if client.wait_readable(0.05):
                client._socket.recv(self.random.choice([1, 100, 1000]))
        self.cut(client)

    # To the end

    def finish(self):
        """Have all come, over a connection that does not break."""
        self.websocket = self.dial(sid=self.sid, received=len(self.got))
        self.note(self.websocket.read_text())
        for packet in self.sent[self.opened["received"] :]:
            self.send(packet)
        self.read_until(len(self.sent))


def encode_binary(packet):
    import base64

    return "b" + base64.b64encode(packet).decode()


def whole_frames(client):
    """The packets whose frames have come whole; the rest stays."""
    while True:
        data = client.unread()
        if len(data) < 2:
            return
        length, header = data[1] & 0x7F, 2
        if length == 126:
            if len(data) < 4:
                return
            length, header = struct.unpack("!H", data[2:4])[0], 4
        if len(data) < header + length:
            return
        client._position += header + length
        payload = data[header : header + length]
        opcode = data[0] & 0x0F
        if opcode in (1, 2):
            yield decode(payload.decode()) if opcode == TEXT else payload
