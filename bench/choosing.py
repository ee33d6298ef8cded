"""Command line options that choose some of what is known by name."""

import argparse
from collections.abc import Iterable
from functools import partial
from typing import Any


def add_choice(
    parser: argparse.ArgumentParser,
    option: str,
    metavar: str,
    known: dict[str, Any],
    usual: dict[str, Any] | None = None,
) -> None:
    """All is chosen without the option, or what is usual; a tuple, in the order of ``known``."""
    parser.add_argument(
        option,
        type=partial(choose, known=known),
        default=tuple((usual or known).values()),
        metavar=f"{metavar}[,…]",
        help="of " + ", ".join(known),
    )


def choose(names: str, known: dict[str, Any]) -> tuple:
    wanted = names.split(",")
    if unknown := set(wanted) - set(known):
        raise argparse.ArgumentTypeError(
            f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}"
        )
    return tuple(value for name, value in known.items() if name in wanted)


def by_name(entries: Iterable[Any]) -> dict[str, Any]:
    return {entry.name: entry for entry in entries}
