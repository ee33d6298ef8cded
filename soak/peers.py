"""Clients that mean well: each sends numbered messages, and checks that just its own come back."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

from soak.wire import BINARY, CLOSE, FIN, PING, PONG, TEXT, build_handshake, frame

#: Seconds between two messages of a client.
INTERVAL = 0.25

#: Seconds that a handshake, or the last echoes, may take.
TIMEOUT = 30

#: Each third message is long.
FILLING = "0123456789" * 400


@dataclass
class Tally:
    """What the clients of one path have seen."""

    path: str
    wrong: int = 0  # an echo that is not the next one: changed, twice, or out of order
    foreign: int = 0  # an echo of another client's message
    missing: int = 0
    closed: int = 0  # connections that ended before their client wanted
    latencies: list[float] = field(default_factory=list)  # seconds

    @property
    def faults(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in ("wrong", "foreign", "missing", "closed")}

    def percentile(self, percent: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


class Peer:
    """One of them. What it expects next stands first in ``_expected``."""

    def __init__(self, port: int, name: str, tally: Tally):
        self._port = port
        self._name = name
        self._tally = tally
        self._expected: deque[tuple[str, float]] = deque()
        self._answered = asyncio.Event()  # nothing is expected
        self._ended = False

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(build_handshake(self._port, self._tally.path, compression=False))
        head = await self._reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(f"not accepted: {head!r}")
        self._reading = asyncio.ensure_future(self._read())

    async def talk(self, stop: asyncio.Event, delay: float) -> None:
        """Send until told to stop, then wait for what has not come yet."""
        await asyncio.sleep(delay)
        number = 0
        while not (stop.is_set() or self._ended):
            number += 1
            self._say(f"{self._name} {number} {FILLING if number % 3 == 0 else ''}", number)
            await asyncio.sleep(INTERVAL)
        await wait(self._answered.wait(), TIMEOUT)
        self._tally.missing += len(self._expected)

    async def leave(self) -> None:
        """The closing handshake."""
        self._closing = True
        if not self._ended:
            self._writer.write(frame(FIN | CLOSE, (1000).to_bytes(2, "big")))
        await wait(self._reading, TIMEOUT)
        self._writer.close()

    _closing = False

    def _say(self, text: str, number: int) -> None:
        self._answered.clear()
        self._expected.append((text, time.monotonic()))
        self._writer.write(frame(FIN | (TEXT if number % 2 else BINARY), text.encode()))

    async def _read(self) -> None:
        try:
            while (received := await self._receive()) is not None:
                self._check(received)
        except (OSError, asyncio.IncompleteReadError):
            pass
        self._ended = True
        self._answered.set()
        if not self._closing:
            self._tally.closed += 1

    async def _receive(self) -> str | None:
        """The next message; ``None`` for a Close."""
        while True:
            first, length = await self._reader.readexactly(2)
            if length > 125:
                size = 2 if length == 126 else 8
                length = int.from_bytes(await self._reader.readexactly(size), "big")
            payload = await self._reader.readexactly(length)
            if first == FIN | PING:
                self._writer.write(frame(FIN | PONG, payload))
            elif first == FIN | CLOSE:
                return None
            else:
                return payload.decode(errors="replace")

    def _check(self, received: str) -> None:
        expected, sent = self._expected.popleft() if self._expected else ("", 0.0)
        if received == expected:
            self._tally.latencies.append(time.monotonic() - sent)
        elif received.startswith(self._name + " "):
            self._tally.wrong += 1
        else:
            self._tally.foreign += 1
        if not self._expected:
            self._answered.set()


async def wait(what, timeout: float) -> None:
    """Wait for it, but not longer."""
    try:
        await asyncio.wait_for(what, timeout)
    except asyncio.TimeoutError:
        pass


def invite(port: int, tallies: list[Tally], count: int) -> list[Peer]:
    """So many clients, half of them for each path."""
    return [Peer(port, f"peer-{number}", tallies[number % len(tallies)]) for number in range(count)]


async def look_at_clock(stop: asyncio.Event) -> float:
    """How late this process itself was at most, in seconds."""
    latest = 0.0
    while not stop.is_set():
        due = time.monotonic() + 0.05
        await asyncio.sleep(0.05)
        latest = max(latest, time.monotonic() - due)
    return latest
