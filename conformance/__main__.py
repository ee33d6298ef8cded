"""`python -m conformance`: the Autobahn test suite against echo servers of ours.

Every case must give what expected-results.json says; what is better than that is reported, too.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from conformance import expectation
from conformance.cases import by_group, choose
from conformance.install import InstallError, NoPython27, install
from conformance.servers import DEFAULT, SERVERS, find_path, start
from conformance.suite import Result, list_cases, run_cases
from conformance.summary import table

#: Differences of one server that are printed: when all is wrong, the first ones tell.
SHOWN = 20

Run = tuple[str, dict[str, Result], list[str]]


def main() -> int:
    options = parse_arguments()
    try:
        install()
    except InstallError as error:
        print(f"Not run: {error}")
        optional = os.environ.get("CONFORMANCE") == "optional"
        return 0 if optional and isinstance(error, NoPython27) else 1
    try:
        cases = choose(options.cases or ["*"], list_cases())
    except ValueError as unknown:
        raise SystemExit(f"conformance: {unknown}") from None
    expected = expectation.load()
    runs: dict[str, dict[str, Result]] = {}
    problems: list[str] = []
    for name, runs[name], faults in run_servers(options, cases):
        if not options.update:
            faults = expectation.differences(runs[name], expected) + faults
        problems += [f"{name}: {fault}" for fault in faults[:SHOWN]]
        if len(faults) > SHOWN:
            problems.append(f"{name}: and {len(faults) - SHOWN} more like these")
    print("\n" + table(runs))
    if options.update and not problems:
        problems = expectation.update(list(runs.values()), expected)
    return report(problems, updated=options.update)


def run_servers(options: argparse.Namespace, cases: list[str]) -> Iterator[Run]:
    """What run_server() finds, as often as is wished, in order."""
    names = {
        server if options.repeat == 1 else f"{server}-{number}": server
        for number in range(1, options.repeat + 1)
        for server in options.servers
    }
    # The suite and its server take turns: one core is what a pair of them needs.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = pool.map(lambda name: run_server(name, names[name], cases), names)
        for name, (results, faults) in zip(names, found, strict=True):
            yield name, results, faults


def run_server(name: str, server: str, cases: list[str]) -> tuple[dict[str, Result], list[str]]:
    """The result of each case, and what is wrong with the server's log and its end."""
    results: dict[str, Result] = {}
    faults: list[str] = []
    process = start(server)
    try:
        url = f"ws://{process.host}:{process.port}{find_path(server)}"
        for group, members in by_group(cases).items():
            started = time.monotonic()
            results |= run_cases(name, url, members)
            counts = Counter(results[case].outcome.behavior for case in members)
            seen = ", ".join(f"{count} {behavior}" for behavior, count in counts.items())
            print(f"{name} group {group}: {seen} in {time.monotonic() - started:.0f} s", flush=True)
        faults += [f"in its log: {fault}" for fault in process.log.find_faults()]
        process.stop()
    except AssertionError as hanging:
        faults.append(str(hanging))
    finally:
        process.kill()
    return results, faults


def report(problems: list[str], *, updated: bool) -> int:
    for problem in problems:
        print(problem)
    if problems:
        print("Nothing is written." if updated else "Not as expected.")
        return 1
    print("Written: expected-results.json." if updated else "All as expected.")
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument(
        "cases", nargs="*", metavar="CASES", help="3, 1-7, 9.1.* or 6.4.2 (default: all)"
    )
    parser.add_argument(
        "--servers",
        type=choose_servers,
        default=DEFAULT,
        metavar="SERVER[,…]",
        help=f"of {', '.join(SERVERS)} (default: {', '.join(DEFAULT)})",
    )
    parser.add_argument("--repeat", type=int, default=1, help="how often (default: %(default)s)")
    parser.add_argument(
        "--update", action="store_true", help="write expected-results.json instead of comparing"
    )
    options = parser.parse_args()
    if options.repeat < 1:
        parser.error("--repeat must be at least 1")
    return options


def choose_servers(names: str) -> list[str]:
    servers = names.split(",")
    if unknown := set(servers) - set(SERVERS):
        raise argparse.ArgumentTypeError(
            f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(SERVERS)}"
        )
    return servers


if __name__ == "__main__":
    sys.exit(main())
