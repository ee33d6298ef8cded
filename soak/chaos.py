"""`python -m soak.chaos SERVER`: do others notice that a server on this machine is attacked?

Two hundred hostile clients at a time connect, send what they should not, and leave. Fifty others,
half of them on a view and half on a handler, send numbered messages meanwhile. Each of these must
get its own echoes, all of them, in order and in time, and afterwards the server must hold no more
than before.
"""

import argparse
import asyncio
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from soak import census
from soak.crowd import attack
from soak.outcome import Outcome, settle
from soak.peers import Tally, invite, look_at_clock
from soak.servers import SERVERS, start

PEERS = 50
PATHS = ("/echo/", "/handler/")


def main() -> int:
    options = parse_arguments()
    with start(options.server, environment={}) as server:
        try:
            outcome = run(server.port, options.seconds, options.seed)
        except OSError as error:
            print(f"The clients failed: {error!r}. The server's log:\n{server.log.text()[-9999:]}")
            return 1
    outcome.log = server.log
    if options.log:
        options.log.write_text(server.log.text())
    print(f"{options.server}, {options.seconds:g} s, seed {options.seed}")
    outcome.show()
    failures = outcome.find_failures(options.p99)
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


def run(port: int, seconds: float, seed: int) -> Outcome:
    """Everything, in its order."""
    asyncio.run(converse(port, 1.0, None))  # what starts with the first ones belongs to the server
    before = census.take(port)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        tallies, attacks, lag = asyncio.run(
            converse(port, seconds, lambda: pool.submit(attack, port, seconds, seed))
        )
    after = settle(port, before)
    return Outcome(tallies, attacks, lag, before, census.take_peak(port), after)


async def converse(port, seconds, begin_attack) -> tuple[list[Tally], Counter[str], float]:
    """Fifty clients, from before the attack until after its end."""
    tallies = [Tally(path) for path in PATHS]
    peers = invite(port, tallies, PEERS)
    for peer in peers:
        await peer.connect()
    stop = asyncio.Event()
    talks = [
        asyncio.ensure_future(peer.talk(stop, number / PEERS)) for number, peer in enumerate(peers)
    ]
    clock = asyncio.ensure_future(look_at_clock(stop))
    attacks: Counter[str] = Counter()
    if begin_attack is None:
        await asyncio.sleep(seconds)
    else:
        attacks = await asyncio.wrap_future(begin_attack())
    stop.set()
    await asyncio.gather(*talks)
    await asyncio.gather(*(peer.leave() for peer in peers))
    return tallies, attacks, await clock


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m soak.chaos", description=__doc__)
    parser.add_argument("server", choices=SERVERS)
    parser.add_argument("--seconds", type=float, default=90, help="default: %(default)g")
    parser.add_argument("--seed", type=int, default=0, help="of the attacks; default: %(default)s")
    parser.add_argument("--p99", type=float, default=1, help="seconds; default: %(default)s")
    parser.add_argument("--log", type=Path, help="write the server's log to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
