"""How many worker processes gunicorn is asked for, as far as that can be seen from outside."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["count_workers"]

#: As gunicorn reads it from the directory in which it is started.
CONFIGURATION = Path("gunicorn.conf.py")

WORKERS = re.compile(r"(?:^|\s)(?:-w\s*|--workers[\s=])(\d+)")


def count_workers() -> tuple[int, str] | None:
    """How many, and where that is said; ``None``: one, or nothing is known."""
    for workers, where in find_numbers():  # what gunicorn heeds first comes first
        return (workers, where) if workers > 1 else None
    return None


def find_numbers() -> Iterator[tuple[int, str]]:
    found = WORKERS.findall(os.environ.get("GUNICORN_CMD_ARGS", ""))
    if found:
        yield int(found[-1]), "GUNICORN_CMD_ARGS"
    workers = read_configuration()
    if workers is not None:
        yield workers, str(CONFIGURATION)
    concurrency = os.environ.get("WEB_CONCURRENCY", "")
    if concurrency.isdigit():
        yield int(concurrency), "WEB_CONCURRENCY"


def read_configuration() -> int | None:
    """A plain ``workers = 4``; what is computed is not looked at."""
    try:
        tree = ast.parse(CONFIGURATION.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return None
    for node in reversed(tree.body):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            if "workers" in names and type(node.value.value) is int:
                return node.value.value
    return None
