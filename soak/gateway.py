"""`python -m soak.gateway`: many clients talk while the gateway's handlers are replaced.

Each client sends numbered messages, and is sent back each of them with the count that its handler
keeps across processes. What is counted: connections that were closed, and messages that were lost,
doubled or out of order. Printed besides: what the front and the handlers work for a message, and
hold for a connection.
"""

import argparse
import asyncio
import base64
import os
import random
import struct
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.gateway.processes import Command, Gateway
from tests.servers.process import processor_time

#: Clients that open their connections at once.
AT_ONCE = 100


class Client:
    """One connection, and what has come of it."""

    def __init__(self) -> None:
        self.sent = self.received = 0
        self.lost = self.doubled = self.told_doubled = 0
        self.miscounted = 0  # answers of a handler that has not kept its count
        self.closed = False
        self.code = 1006
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def open(self, port: int, path: str) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        key = base64.b64encode(os.urandom(16)).decode()
        self._writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise OSError(head.decode("latin-1"))

    def send(self) -> None:
        """Send the next message."""
        self.sent += 1
        self._write(0x81, b"%d" % self.sent)

    def _write(self, first: int, payload: bytes) -> None:
        # The mask is zero: what it is for does not matter here.
        self._writer.write(struct.pack("!BB4x", first, 0x80 | len(payload)) + payload)

    async def read(self) -> None:
        """Read answers until the connection ends."""
        try:
            while True:
                first, length = await self._reader.readexactly(2)
                payload = await self._reader.readexactly(length)
                if first & 15 == 8:
                    self.code = int.from_bytes(payload[:2], "big")
                    break
                if first & 15 == 9:
                    self._write(0x8A, payload)
                if first & 15 == 1:
                    self._take(payload.decode())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        self.closed = True

    def _take(self, answer: str) -> None:
        count, number, redelivered, _ = answer.split()
        self.miscounted += count != number
        if int(number) <= self.received:
            self.told_doubled += redelivered == "1"
            self.doubled += redelivered != "1"
        else:
            self.lost += int(number) - self.received - 1
            self.received = int(number)

    def hang_up(self) -> None:
        self._writer.close()


@asynccontextmanager
async def crowd(port: int, count: int, path: str = "/counter/") -> AsyncIterator[list[Client]]:
    """So many clients, connected."""
    clients = [Client() for _ in range(count)]
    for start in range(0, count, AT_ONCE):
        await asyncio.gather(*(one.open(port, path) for one in clients[start : start + AT_ONCE]))
    readers = [asyncio.ensure_future(client.read()) for client in clients]
    try:
        yield clients
    finally:
        for client in clients:
            client.hang_up()
        await asyncio.wait(readers, timeout=30)


async def talk(clients: list[Client], rate: float, stopped: asyncio.Event) -> None:
    """Send so many messages a second, each by a client chosen by chance."""
    began, sent = time.monotonic(), 0
    while not stopped.is_set():
        while sent < (time.monotonic() - began) * rate:
            random.choice(clients).send()
            sent += 1
        await asyncio.sleep(0.01)


async def replace(gateway: Gateway, handlers: Command, times: int, *, kill: bool) -> Command:
    """Replace the process with handlers so many times; the last one."""
    for number in range(times):
        following = await asyncio.to_thread(gateway.start_handlers, wait_for=2)
        if kill:
            handlers.kill()
        else:
            await asyncio.to_thread(handlers.stop, 60)
        await asyncio.to_thread(gateway.wait_for_handlers, 1)
        print(f"replaced {number + 1} times", flush=True)
        handlers = following
        await asyncio.sleep(1)
    return handlers


def memory(pid: int) -> int:
    """Bytes that are this process's alone."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    found = [line.split()[1] for line in lines if line.startswith("Private_Dirty:")]
    return int(found[0]) * 1024


async def measure(gateway: Gateway, handlers: Command, options: argparse.Namespace) -> None:
    """Print what a connection holds, and what a message takes."""
    pids = (gateway.front.pid, handlers.pid)
    path = "/light/" if options.light else "/counter/"
    async with crowd(gateway.port, 20, path):  # what starts with the first ones
        pass
    before = [memory(pid) for pid in pids]
    async with crowd(gateway.port, options.clients, path) as clients:
        after = [memory(pid) for pid in pids]
        held = [(a - b) / options.clients / 1024 for a, b in zip(after, before, strict=True)]
        print(f"an idle connection: front {held[0]:.1f} KiB, handlers {held[1]:.1f} KiB")
        began, counted = [processor_time(pid) for pid in pids], sum(c.received for c in clients)
        stopped = asyncio.Event()
        talking = asyncio.ensure_future(talk(clients[:50], options.busy_rate, stopped))
        await asyncio.sleep(options.seconds)
        stopped.set()
        await talking
        count = max(1, sum(client.received for client in clients) - counted)
        worked = [
            (processor_time(pid) - a) / count * 1e6 for pid, a in zip(pids, began, strict=True)
        ]
        print(
            f"a message and its answer: front {worked[0]:.0f} µs, handlers {worked[1]:.0f} µs "
            f"({count} of them)"
        )


async def run(options: argparse.Namespace) -> int:
    gateway = Gateway("--grace", "60")
    try:
        handlers = await asyncio.to_thread(gateway.start_handlers)
        if options.measure:
            await measure(gateway, handlers, options)
            return 0
        async with crowd(gateway.port, options.clients) as clients:
            stopped = asyncio.Event()
            talking = asyncio.ensure_future(talk(clients, options.rate, stopped))
            await replace(gateway, handlers, options.restarts, kill=options.kill)
            stopped.set()
            print(*gateway.find_faults()[:20], sep="\n")
            await talking
            deadline = time.monotonic() + 30
            while any(c.received < c.sent for c in clients) and time.monotonic() < deadline:
                await asyncio.sleep(0.05)
            return tell(clients)
    finally:
        gateway.stop()


def tell(clients: list[Client]) -> int:
    """Print what has come of it; the exit status."""
    closed = sum(client.closed for client in clients)
    lost = sum(client.lost + client.sent - client.received for client in clients)
    doubled = sum(client.doubled for client in clients)
    told = sum(client.told_doubled for client in clients)
    sent = sum(client.sent for client in clients)
    miscounted = sum(client.miscounted for client in clients)
    print(
        f"{len(clients)} clients, {sent} messages: {closed} closed, {lost} lost, {doubled} doubled "
        f"or out of order, {told} doubled and marked as redelivered; {miscounted} answers of a "
        "handler that did not know how many came before"
    )
    if closed:
        print("closed with", Counter(client.code for client in clients if client.closed))
    return 1 if closed or lost or doubled else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m soak.gateway", description=__doc__)
    parser.add_argument("--clients", type=int, default=2000, help="default: %(default)s")
    parser.add_argument("--rate", type=float, default=500, help="messages a second")
    parser.add_argument("--restarts", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--kill", action="store_true", help="by SIGKILL instead of SIGTERM")
    parser.add_argument("--measure", action="store_true", help="measure instead")
    parser.add_argument("--light", action="store_true", help="handlers keep no request")
    parser.add_argument("--busy-rate", type=float, default=4000, help="of --measure")
    parser.add_argument("--seconds", type=float, default=5, help="of --measure")
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
