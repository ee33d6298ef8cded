"""Where the figures come from: the machine and the versions of everything measured."""

import datetime
import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.servers import Server

NOT_INSTALLED = "not installed"


def describe() -> list[tuple[str, str]]:
    return [
        ("Date", datetime.date.today().isoformat()),
        ("Processor", f"{_cpu_model()}, {len(os.sched_getaffinity(0))} usable"),
        ("Kernel", f"{platform.system()} {platform.release()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("Load average at the start", f"{os.getloadavg()[0]:.2f}"),
    ]


def versions(servers: Iterable[Server]) -> list[tuple[str, str]]:
    names = {package for server in servers for package in server.packages}
    return [(name, _version(name)) for name in sorted(names, key=str.lower)]


def missing(servers: Iterable[Server]) -> list[str]:
    return [name for name, found in versions(servers) if found == NOT_INSTALLED]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return NOT_INSTALLED


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
