"""What the server process holds, asked again and again, and whether it grows."""

import json
import time
import urllib.request
from dataclasses import dataclass, fields
from statistics import mean

#: How much more the last quarter may hold than the second: noise, not growth.
TOLERANCE = 1.02

#: The server may still be at work on the last connections' ends.
SETTLE_TIMEOUT = 5  # seconds


@dataclass(frozen=True)
class Census:
    memory: int  # resident, KiB
    descriptors: int
    threads: int
    greenlets: int
    objects: int  # that the garbage collector knows


MEASURES = [field.name for field in fields(Census)]


def take(port: int) -> Census:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/census/", timeout=60) as response:
        return Census(**json.load(response))


def take_peak(port: int) -> int:
    """The most memory that the process ever had, resident, KiB."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/peak/", timeout=60) as response:
        return json.load(response)["memory"]


def settle(port: int, idle: int) -> Census:
    """The census once no more descriptors are open than in the idle server, or when that does
    not come to pass.
    """
    deadline = time.monotonic() + SETTLE_TIMEOUT
    while (census := take(port)).descriptors > idle and time.monotonic() < deadline:
        time.sleep(0.05)  # nothing tells when a process has closed a descriptor
    return census


@dataclass(frozen=True)
class Verdict:
    measure: str
    second: float  # mean of the second quarter
    last: float

    @property
    def level(self) -> bool:
        return self.last <= self.second * TOLERANCE

    def __str__(self) -> str:
        grown = (self.last / self.second - 1) * 100 if self.second else 0
        word = "level" if self.level else "GROWS"
        return f"{self.measure:12}{self.second:12.1f}{self.last:12.1f}{grown:+9.2f} %  {word}"


def judge(samples: list[Census]) -> list[Verdict]:
    """Compare the last quarter with the second: in the first, caches and pools fill."""
    quarter = len(samples) // 4
    return [
        Verdict(
            name,
            mean(getattr(sample, name) for sample in samples[quarter : 2 * quarter]),
            mean(getattr(sample, name) for sample in samples[-quarter:]),
        )
        for name in MEASURES
    ]
