"""`python -m soak`: connections and messages without end, and what the server process holds.

After each round, with all connections closed, a census of the server process is taken. The last
quarter of them must not be more than 2 % above the second.
"""

import argparse
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from soak import census, traffic
from soak.census import MEASURES, Census
from soak.servers import SERVERS, start

ROUNDS = 40
T = TypeVar("T")


def main() -> int:
    options = parse_arguments()
    started = time.monotonic()
    with start(options.server) as server:
        try:
            samples, cycles, messages = run(server.port, options)
        except OSError as error:
            print(f"The load failed: {error!r}. The server's log:\n{server.log.text()}")
            return 1
    seconds = time.monotonic() - started
    print(f"\n{options.server}: {cycles:,} cycles and {messages:,} messages in {seconds:.0f} s")
    print(f"{'':12}{'2nd quarter':>12}{'last':>12}")
    verdicts = census.judge(samples)
    print(*verdicts, sep="\n")
    faults = server.log.find_faults()
    for fault in faults[:10]:
        print(f"In the server's log: {fault}")
    return 1 if faults or not all(verdict.level for verdict in verdicts) else 0


def run(port: int, options: argparse.Namespace) -> tuple[list[Census], int, int]:
    """The census after each round, and how many cycles and messages there were in all."""
    traffic.fill_pools(port)  # what starts with the first WebSockets belongs to the idle server
    idle = census.take(port).descriptors
    samples: list[Census] = []
    cycles = messages = 0
    print("".join(f"{word:>13}" for word in ("cycles", "messages", *MEASURES)))
    for _ in range(ROUNDS):
        half = options.seconds / ROUNDS / 2 if options.seconds else None
        cycles += repeat(traffic.run_cycles, port, options.cycles // ROUNDS, half)
        wave = traffic.open_wave(port, compression=False)
        messages += repeat(traffic.run_batches, wave, options.messages // ROUNDS, half)
        traffic.close_wave(wave)
        samples.append(census.settle(port, idle))
        figures = (cycles, messages, *vars(samples[-1]).values())
        print("".join(f"{figure:13,}" for figure in figures), flush=True)
    return samples, cycles, messages


def repeat(work: Callable[[T], int], on: T, count: int, seconds: float | None) -> int:
    """Work until so much is done, or so long; how much was done."""
    done, deadline = 0, time.monotonic() + (seconds or 0)
    while time.monotonic() < deadline if seconds else done < count:
        done += work(on)
    return done


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument(
        "--server", choices=SERVERS, default="gevent-pywsgi", help="default: %(default)s"
    )
    parser.add_argument("--cycles", type=int, default=200_000, help="default: %(default)s")
    parser.add_argument("--messages", type=int, default=2_000_000, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, help="work for so long instead")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
