"""``python -m fuzz``: search for some seconds, or run inputs found earlier again."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

DIRECTORY = Path("build/fuzz")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("inputs", nargs="*", type=Path, help="inputs to run again")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="the same search again; 0: a new one")
    parser.add_argument("--engine", choices=["atheris", "hypothesis"], default=default_engine())
    parser.add_argument("--directory", type=Path, default=DIRECTORY, help="what is found goes here")
    options = parser.parse_args()
    if options.inputs:
        run_again(options.inputs)
    elif options.engine == "atheris":
        from . import by_coverage

        by_coverage.search(options.seconds, options.directory, options.seed)
    else:
        from . import by_examples

        by_examples.search(options.seconds, options.directory, options.seed)


def default_engine() -> str:
    return "atheris" if importlib.util.find_spec("atheris") else "hypothesis"


def run_again(paths: list[Path]) -> None:
    from .invariants import check

    for path in paths:
        check(path.read_bytes())
        print(f"{path}: nothing found")


if __name__ == "__main__":
    main()
