"""`python -m bench`: measure the servers side by side, write docs/benchmarks.md and its chart."""

import argparse
import resource
import shlex
import sys
import time

from bench import chart, load, machine, report
from bench.choosing import add_choice, by_name
from bench.processes import Process, StartError, choose_cpus
from bench.results import Results
from bench.servers import GATEWAY, OURS, OVER_TLS, SERVERS, Server
from bench.works import ALL_WORKS, Work

Cpus = tuple[int, int] | None


def main() -> int:
    options = parse_arguments()
    load.build()
    cpus = choose_cpus()
    if cpus is None:
        print(report.UNPINNED, file=sys.stderr)
    if missing := machine.missing(options.only):
        print(
            f"Not installed: {', '.join(missing)}. The servers that use it fail or are slower than "
            "they can be. `pip install --group bench` installs all.",
            file=sys.stderr,
        )
    results = Results(options.only, usable_works(options.work))
    facts = machine.describe()
    started = time.monotonic()
    for number in range(1, options.rounds + 1):
        # Every server once, then again: a noisy minute hits all of them.
        for server in results.servers:
            measure_server(server, results, options.seconds, cpus)
            print(report.progress(number, options.rounds, server, results), flush=True)
    facts.append(("Time taken", f"{(time.monotonic() - started) / 60:.1f} minutes"))
    run = report.Run(results, options.rounds, options.seconds, cpus, facts, command_line())
    print("\n" + report.summary(run))
    write(run, options.no_write)
    return 1 if results.failed else 0


def measure_server(server: Server, results: Results, seconds: float, cpus: Cpus) -> None:
    works = [work for work in results.works if work.is_for(server)]
    # Idle connections get a process of their own: memory that earlier work left behind would be
    # used again and go unseen.
    idle = [work for work in works if work.mode == "hold"]
    for together in (idle, [work for work in works if work not in idle]):
        if together:
            measure_process(server, together, results, seconds, cpus)


def measure_process(
    server: Server, works: list[Work], results: Results, seconds: float, cpus: Cpus
) -> None:
    try:
        with Process(server, cpus) as process:
            load.warm_up(process)
            for work in works:
                try:
                    results.add(server, work, load.measure(process, work, seconds))
                except load.LoadError as failure:
                    results.add(server, work, str(failure))
    except (StartError, load.LoadError) as failure:
        for work in works:
            results.add(server, work, str(failure))


def usable_works(works: tuple[Work, ...]) -> tuple[Work, ...]:
    """Take all descriptors we may have; leave out a work that needs more than that."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    usable = tuple(work for work in works if work.connections + 100 <= hard)
    for work in works:
        if work not in usable:
            print(
                f"Left out: {work.name} opens {work.connections} connections, this process may "
                f"open {hard} files. Raise the limit (ulimit -Hn) to measure it.",
                file=sys.stderr,
            )
    return usable


def write(run: report.Run, no_write: bool) -> None:
    if no_write:
        return
    if not run.results.complete:
        print(
            f"Nothing written: {report.PAGE.name} needs all servers and all works, and "
            f"no failure of {OURS.name}."
        )
        return
    report.write_page(report.page(run))
    report.CHART.write_text(chart.draw(run.results.plain), encoding="utf-8")
    print(f"Written: docs/{report.PAGE.name}, docs/{report.CHART.name}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition(": ")[2])
    parser.add_argument("--rounds", type=int, default=5, help="how often (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=2, help="length of one measurement (default: %(default)s)"
    )
    usual = (*SERVERS, *OVER_TLS)
    add_choice(parser, "--only", "SERVER", by_name((*usual, *GATEWAY)), by_name(usual))
    add_choice(parser, "--work", "NAME", by_name(ALL_WORKS))
    parser.add_argument("--no-write", action="store_true", help="print only; leave docs/ as it is")
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds must be at least 1 and --seconds more than 0")
    return options


def command_line() -> str:
    return shlex.join(["python", "-m", "bench", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
