"""What a hostile client does on one connection. Everything is bounded: bytes, and seconds."""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable

from soak.wire import (
    BINARY,
    CLOSE,
    COMPRESSED,
    FIN,
    MASKED,
    PING,
    RESET,
    TEXT,
    build_handshake,
    deflate,
    frame,
)

#: Seconds that an attack waits for the server, and bytes that a flood or a slow reader sends.
PATIENCE = 5
FLOOD = 1 << 20

PATHS = ("/echo/", "/handler/")

#: 2.5 KiB that become 2.5 MiB, the longest message that is taken by default.
BOMB = frame(FIN | COMPRESSED | BINARY, deflate(bytes(2_621_440)))
LONG = frame(FIN | BINARY, bytes(65_536))
SHORT = frame(FIN | TEXT, b"a line of text") * 500
PINGS = frame(FIN | PING, bytes(125)) * 200
EMPTY_FRAGMENTS = frame(TEXT, b"") + frame(0, b"") * 2000

INVALID = (
    frame(FIN | TEXT, b"unmasked", masked=False),
    frame(FIN | 0x40 | 0x20 | TEXT, b"reserved bits"),
    frame(FIN | 3, b"reserved opcode"),
    frame(FIN | TEXT, b"\xff\xfe not UTF-8"),
    frame(FIN, b"continues nothing"),
    frame(TEXT, b"begun") + frame(FIN | TEXT, b"begun again"),
    frame(FIN | PING, bytes(126)),
    frame(PING, b"a control frame in pieces"),
    frame(FIN | CLOSE, b"\0"),
    frame(FIN | CLOSE, (1005).to_bytes(2, "big")),
    bytes((FIN | BINARY, MASKED | 127)) + (1 << 62).to_bytes(8, "big") + bytes(4),
    frame(FIN | COMPRESSED | TEXT, b"\xff" * 40),
    b"GET /echo/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
)


class Attacker:
    """A hostile client's connection.

    Args:
        spend: waits until so many bytes more may be sent.
        dice: what is left to chance.
    """

    def __init__(
        self, port: int, dice: random.Random, spend: Callable[[int], Awaitable[None]]
    ) -> None:
        self.dice = dice
        self._port = port
        self._spend = spend
        self._socket = socket.socket()
        self._socket.setblocking(False)

    async def connect(self) -> None:
        await self._within(
            asyncio.get_running_loop().sock_connect(self._socket, ("127.0.0.1", self._port))
        )

    async def open(self, *, compression: bool = False) -> None:
        """Connect, and be accepted."""
        await self.connect()
        path = self.dice.choice(PATHS)
        await self.send(build_handshake(self._port, path, compression=compression))
        if not (await self.receive()).startswith(b"HTTP/1.1 101 "):
            raise ConnectionError("not accepted")

    def handshake(self) -> bytes:
        return build_handshake(self._port, self.dice.choice(PATHS), compression=False)

    async def send(self, data: bytes) -> None:
        await self._spend(len(data))
        await self._within(asyncio.get_running_loop().sock_sendall(self._socket, data))

    async def receive(self) -> bytes:
        return await self._within(asyncio.get_running_loop().sock_recv(self._socket, 65536))

    async def flood(self, data: bytes, size: int, *, reading: bool) -> None:
        """Send the data again and again; take the answers, or leave them lying there."""
        taking = asyncio.ensure_future(self._take()) if reading else None
        try:
            for _ in range(size // len(data)):
                await self.send(data)
        finally:
            if taking is not None:
                taking.cancel()

    async def _take(self) -> None:
        try:
            while await asyncio.get_running_loop().sock_recv(self._socket, 65536):
                pass
        except OSError:
            pass

    def take_little(self) -> None:
        """Have the system take nearly nothing on our behalf; before connecting."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    async def stay(self) -> None:
        await asyncio.sleep(self.dice.uniform(0.1, 3))

    def leave(self) -> None:
        """By FIN or by RST."""
        if self.dice.random() < 0.6:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._socket.close()

    async def _within(self, what: Awaitable) -> bytes:
        return await asyncio.wait_for(what, PATIENCE)


async def connect_and_leave(attacker: Attacker) -> None:
    await attacker.connect()


async def half_a_handshake(attacker: Attacker) -> None:
    """For an instant: on servers with few threads it takes one until it ends."""
    await attacker.connect()
    await attacker.send(attacker.handshake()[: attacker.dice.randrange(1, 120)])
    await asyncio.sleep(attacker.dice.uniform(0, 0.2))


async def malformed_handshake(attacker: Attacker) -> None:
    await attacker.connect()
    found = attacker.dice.choice((b"Key: ", b"Version: 13", b"Upgrade: websocket"))
    await attacker.send(attacker.handshake().replace(found, b"X: "))
    await attacker.receive()


async def hang_up(attacker: Attacker) -> None:
    await attacker.open()


async def hang_up_before_the_answer(attacker: Attacker) -> None:
    await attacker.connect()
    await attacker.send(attacker.handshake())


async def stay_silent(attacker: Attacker) -> None:
    await attacker.open()
    await attacker.stay()


async def half_a_frame(attacker: Attacker) -> None:
    await attacker.open()
    await attacker.send(LONG[: attacker.dice.randrange(1, 60_000)])
    await attacker.stay()


async def read_nothing(attacker: Attacker) -> None:
    attacker.take_little()
    await attacker.open()
    await attacker.flood(LONG, FLOOD * 2, reading=False)
    await attacker.stay()


async def flood_with_messages(attacker: Attacker) -> None:
    await attacker.open()
    await attacker.flood(attacker.dice.choice((SHORT, LONG)), FLOOD, reading=True)


async def flood_with_pings(attacker: Attacker) -> None:
    await attacker.open()
    await attacker.flood(PINGS, FLOOD, reading=attacker.dice.random() < 0.5)


async def flood_with_fragments(attacker: Attacker) -> None:
    await attacker.open()
    await attacker.send(EMPTY_FRAGMENTS)
    await attacker.flood(frame(0, b"x") * 2000, FLOOD // 4, reading=True)


async def break_the_protocol(attacker: Attacker) -> None:
    """Half of them do not leave when they are told to."""
    await attacker.open()
    await attacker.send(attacker.dice.choice(INVALID))
    if attacker.dice.random() < 0.5:
        await attacker.flood(SHORT, FLOOD // 2, reading=False)
        await attacker.stay()


async def close_and_go_on(attacker: Attacker) -> None:
    await attacker.open()
    await attacker.send(frame(FIN | CLOSE, (1000).to_bytes(2, "big")))
    await attacker.flood(SHORT, FLOOD // 2, reading=False)
    await attacker.stay()


async def bombs(attacker: Attacker) -> None:
    """Small ones; some of them read what they get, some do not."""
    await attacker.open(compression=True)
    count = attacker.dice.randrange(1, 30)
    await attacker.flood(BOMB, len(BOMB) * count, reading=attacker.dice.random() < 0.5)
    await attacker.stay()


#: How often each happens.
ATTACKS = {
    connect_and_leave: 3,
    half_a_handshake: 1,
    malformed_handshake: 2,
    hang_up: 4,
    hang_up_before_the_answer: 2,
    stay_silent: 3,
    half_a_frame: 3,
    read_nothing: 2,
    flood_with_messages: 3,
    flood_with_pings: 2,
    flood_with_fragments: 1,
    break_the_protocol: 5,
    close_and_go_on: 2,
    bombs: 2,
}
