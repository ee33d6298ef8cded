"""`python -m bench.offered`: what it costs small messages that compression is agreed on.

The same server with compression switched off, and with it agreed on by every client, turn by turn.
Messages of 125 bytes are too short to be compressed: they should cost the same.
"""

import argparse
import os
import statistics
import sys

from bench import load
from bench.processes import Process, choose_cpus
from bench.servers import SERVERS, Server
from bench.works import WORKS, Work

AGREED = {"BENCH_COMPRESSION": "1", "WSLOAD_EXTENSIONS": "permessage-deflate"}
SMALL = [work for work in WORKS if work.name in ("echo", "echo16")]


def measure(server: Server, environment: dict[str, str], seconds: float) -> list[float]:
    os.environ |= environment
    try:
        with Process(server, choose_cpus()) as process:
            load.warm_up(process)
            return [load.measure(process, work, seconds) for work in SMALL]
    finally:
        for name in environment:
            del os.environ[name]


def main() -> int:
    ours = {server.name: server for server in SERVERS if server.is_ours}
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--server", default="django_gevent", choices=ours, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    load.build()
    off, agreed = [], []
    for _ in range(options.rounds):
        off.append(measure(ours[options.server], {}, options.seconds))
        agreed.append(measure(ours[options.server], AGREED, options.seconds))
    for work, without, with_it in zip(
        SMALL, zip(*off, strict=True), zip(*agreed, strict=True), strict=True
    ):
        print(describe(work, statistics.median(without), statistics.median(with_it)))
    return 0


def describe(work: Work, off: float, agreed: float) -> str:
    return f"{work.title}: {off:.2f} µs off, {agreed:.2f} µs agreed on: {agreed / off:.3f} x"


if __name__ == "__main__":
    sys.exit(main())
