"""Two hundred attackers at a time, in a process of their own: one ends, and another begins."""

import asyncio
import random
import time
from collections import Counter

from soak.attacks import ATTACKS, Attacker

#: How many there are at a time.
CROWD = 200

#: In a second, all together: new connections, and bytes.
CONNECTION_RATE = 300
BYTE_RATE = 16 << 20


class Allowance:
    """So much a second, for all."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._due = time.monotonic()

    async def spend(self, amount: int) -> None:
        now = time.monotonic()
        self._due = max(self._due, now) + amount / self._rate
        await asyncio.sleep(self._due - now)


def attack(port: int, seconds: float, seed: int) -> Counter[str]:
    """Attack the server for so long; how often each attack was made."""
    return asyncio.run(Crowd(port, seconds).run(seed))


class Crowd:
    def __init__(self, port: int, seconds: float) -> None:
        self._port = port
        self._end = time.monotonic() + seconds
        self._connections = Allowance(CONNECTION_RATE)
        self._bytes = Allowance(BYTE_RATE)
        self._made: Counter[str] = Counter()

    async def run(self, seed: int) -> Counter[str]:
        members = [self._go_on(random.Random(f"{seed} {number}")) for number in range(CROWD)]
        await asyncio.gather(*members)
        return self._made

    async def _go_on(self, dice: random.Random) -> None:
        """One attack after the other: which ones, the seed has decided."""
        kinds, weights = list(ATTACKS), list(ATTACKS.values())
        while time.monotonic() < self._end:
            await self._connections.spend(1)
            kind = dice.choices(kinds, weights)[0]
            attacker = Attacker(self._port, dice, self._bytes.spend)
            self._made[kind.__name__] += 1
            try:
                await kind(attacker)
            except (OSError, asyncio.TimeoutError):  # the server has had enough of it
                pass
            finally:
                attacker.leave()
