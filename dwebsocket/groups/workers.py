"""How many worker processes the server is asked for, as far as that can be seen.

In a worker its server's command line is seen, and what uWSGI says; from outside, where ``manage.py
check`` runs, only what the environment and gunicorn's configuration file say.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["SEVERAL_WORKERS", "count_workers"]

SEVERAL_WORKERS = (
    "%s asks for %d worker processes, and the backend of WEBSOCKET_GROUPS reaches the members of "
    "groups in the sender's own process only."
)

#: As gunicorn reads it from the directory in which it is started.
CONFIGURATION = Path("gunicorn.conf.py")

WORKERS = re.compile(r"(?:^|\s)(?:-w\s*|--workers[\s=])(\d+)")

#: Servers whose workers keep the command line in ``sys.argv``.
SERVERS = {"granian", "gunicorn", "hypercorn", "uvicorn"}

#: What stands for the option, by server; the first one is gunicorn's and uvicorn's.
VARIABLES = ("WEB_CONCURRENCY", "UVICORN_WORKERS", "GRANIAN_WORKERS")


def count_workers() -> tuple[str, int] | None:
    """Where it is said, and how many; ``None``: one, or nothing is known."""
    for where, workers in find_numbers():  # what a server heeds first comes first
        return (where, workers) if workers > 1 else None
    return None


def find_numbers() -> Iterator[tuple[str, int]]:
    processes = getattr(sys.modules.get("uwsgi"), "numproc", 1)
    if processes > 1:
        yield "uWSGI", processes
    server = find_server()
    found = WORKERS.findall(" ".join(sys.argv[1:])) if server else []
    if found:
        yield f"The command line of {server}", int(found[-1])
    found = WORKERS.findall(os.environ.get("GUNICORN_CMD_ARGS", ""))
    if found:
        yield "GUNICORN_CMD_ARGS", int(found[-1])
    workers = read_configuration()
    if workers is not None:
        yield str(CONFIGURATION), workers
    for name in VARIABLES:
        value = os.environ.get(name, "")
        if value.isdigit():
            yield name, int(value)


def find_server() -> str | None:
    """The one that runs this process: ``gunicorn …`` or ``python -m gunicorn …``."""
    program = Path(sys.argv[0] if sys.argv else "")
    name = program.parent.name if program.name == "__main__.py" else program.stem
    return name if name in SERVERS else None


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
