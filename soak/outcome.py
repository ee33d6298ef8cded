"""What an attack did to the others and to the server, and whether that is good enough."""

import re
import time
from collections import Counter
from dataclasses import dataclass, field

from soak import census
from soak.census import Census
from soak.peers import Tally
from tests.servers.log import ServerLog

#: What the server may hold afterwards beyond what it held before: its pool's threads have started,
#: those that call handlers stay for a while, and in each thread's heap something lives on here and
#: there.
MORE_MEMORY = 48 << 10  # KiB
MORE_THREADS = 40

#: Lines of the server's log for each attack, on average: some servers tell much of a connection.
MAX_LINES = 5

#: Seconds until the server must have settled: peers that do not answer a Close have five.
SETTLE_TIMEOUT = 20


@dataclass
class Outcome:
    tallies: list[Tally]
    attacks: Counter[str]
    lag: float  # how late our own clients were at most, seconds
    before: Census
    peak: int  # memory, KiB
    after: Census
    log: ServerLog = field(init=False)

    def show(self) -> None:
        kinds = ", ".join(f"{count} {name}" for name, count in self.attacks.most_common())
        print(f"{self.attacks.total():,} attacks: {kinds}".replace("_", " "))
        print(f"{'':10}{'echoes':>8}{'p50':>8}{'p99':>8}{'max':>8}  (ms)")
        for tally in self.tallies:
            times = [tally.percentile(percent) * 1000 for percent in (50, 99, 100)]
            row = "".join(f"{time:8.1f}" for time in times)
            faults = ", ".join(f"{count} {name}" for name, count in tally.faults.items())
            print(f"{tally.path:10}{len(tally.latencies):8}{row}  {faults}")
        print(f"our own clients were {self.lag * 1000:.0f} ms late at most")
        print(f"{'':12}{'before':>10}{'after':>10}")
        for name in census.MEASURES:
            print(f"{name:12}{getattr(self.before, name):10,}{getattr(self.after, name):10,}")
        print(f"most memory {self.peak:10,} KiB; {self._count_lines():,} lines in the log")

    def find_failures(self, max_latency: float) -> list[str]:
        """What is wrong, a line each; ``max_latency``: the 99th percentile, in seconds."""
        failures = [
            f"{tally.path}: {count} {name}"
            for tally in self.tallies
            for name, count in tally.faults.items()
            if count
        ]
        failures += [
            f"{tally.path}: p99 is {tally.percentile(99):.2f} s"
            for tally in self.tallies
            if tally.percentile(99) > max_latency
        ]
        failures += find_growth(self.before, self.after)
        lines = self._count_lines()
        if lines > MAX_LINES * self.attacks.total():
            failures.append(f"{lines:,} lines in the server's log, mostly {self._usual_lines()}")
        return failures + [f"in the server's log: {fault}" for fault in self.log.find_faults()[:10]]

    def _count_lines(self) -> int:
        return self.log.mark()

    def _usual_lines(self) -> str:
        lines = Counter(re.sub(r"\d+", "0", line) for line in self.log.text().splitlines())
        return ", ".join(f"{count:,} times {line!r}" for line, count in lines.most_common(3))


def settle(port: int, before: Census) -> Census:
    """The census once the server holds no more than it may, or when that does not come to pass."""
    deadline = time.monotonic() + SETTLE_TIMEOUT
    while find_growth(before, after := census.take(port)) and time.monotonic() < deadline:
        time.sleep(0.25)  # nothing tells when a process has closed a descriptor
    return after


def find_growth(before: Census, after: Census) -> list[str]:
    """What a server holds too much of."""
    allowed = {"memory": MORE_MEMORY, "threads": MORE_THREADS, "descriptors": 0}
    return [
        f"{name} afterwards: {getattr(after, name):,} instead of {getattr(before, name):,}"
        for name, more in allowed.items()
        if getattr(after, name) > getattr(before, name) + more
    ]
