"""How many worker processes the server is asked for, as far as that can be seen.

In a worker its server is known, and asked for nothing but what that server itself heeds. Outside,
where ``manage.py check`` runs, no server is known: any may be meant.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

__all__ = ["OTHERS", "SEVERAL_WORKERS", "count_workers", "find_server"]

SEVERAL_WORKERS = (
    "%s asks for %d worker processes, and the backend of groups reaches the members in the "
    "sender's own process only."
)

#: What reaches more than one process.
OTHERS = (
    "Leave WEBSOCKET_GROUPS out, and all processes of this machine are reached; or choose "
    "'dwebsocket.groups.redis.RedisGroupBackend' for several machines"
)

#: The option, as all these servers have it; and that for gunicorn's configuration file.
WORKERS = re.compile(r"(?:^|\s)(?:-w\s*|--workers[\s=])(\d+)")
CONFIGURATION = re.compile(r"(?:^|\s)(?:-c\s*|--config[\s=])(?:file:)?(\S+)")


def count_workers() -> tuple[str, int] | None:
    """Where it is said, and how many; ``None``: one, or nothing is known."""
    server = find_server()
    for source in SOURCES[server]:
        workers = READERS[source]()
        if workers is not None:
            return (source.format(server), workers) if workers > 1 else None
    return None


def find_server() -> str | None:
    """The one that runs this process: ``gunicorn …`` or ``python -m gunicorn …``."""
    if "uwsgi" in sys.modules:
        return "uwsgi"
    program = Path(sys.argv[0] if sys.argv else "")
    name = program.parent.name if program.name == "__main__.py" else program.stem
    return name if name in SOURCES else None


def read_numproc() -> int | None:
    return getattr(sys.modules["uwsgi"], "numproc", None)


def command_line() -> str:
    """What the server was started with; its workers keep it in ``sys.argv``."""
    return " ".join(sys.argv[1:]) if find_server() else ""


def further_arguments() -> str:
    """What gunicorn heeds like its command line."""
    return os.environ.get("GUNICORN_CMD_ARGS", "")


def find_option(arguments: str) -> int | None:
    found = WORKERS.findall(arguments)
    return int(found[-1]) if found else None


def read_configuration() -> int | None:
    """A plain ``workers = 4`` in gunicorn's file; what is computed is not looked at."""
    named = CONFIGURATION.findall(command_line()) or CONFIGURATION.findall(further_arguments())
    path = Path(named[-1] if named else "gunicorn.conf.py")
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return None
    for node in reversed(tree.body):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            if "workers" in names and type(node.value.value) is int:
                return node.value.value
    return None


def read_variable(name: str) -> int | None:
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() else None


#: By what a message calls it, how each source is read; ``{}`` is the server.
READERS: dict[str, Callable[[], int | None]] = {
    "uWSGI": read_numproc,
    "The command line of {}": lambda: find_option(command_line()),
    "GUNICORN_CMD_ARGS": lambda: find_option(further_arguments()),
    "The configuration file of gunicorn": read_configuration,
    "WEB_CONCURRENCY": partial(read_variable, "WEB_CONCURRENCY"),
    "UVICORN_WORKERS": partial(read_variable, "UVICORN_WORKERS"),
    "GRANIAN_WORKERS": partial(read_variable, "GRANIAN_WORKERS"),
}
UWSGI, COMMAND_LINE, ARGUMENTS, FILE, CONCURRENCY, UVICORN, GRANIAN = READERS

#: Which of them a server heeds, the strongest first; ``None``: the server is not known.
SOURCES: dict[str | None, tuple[str, ...]] = {
    "uwsgi": (UWSGI,),
    "gunicorn": (COMMAND_LINE, ARGUMENTS, FILE, CONCURRENCY),
    "uvicorn": (COMMAND_LINE, UVICORN, CONCURRENCY),
    "granian": (COMMAND_LINE, GRANIAN),
    "hypercorn": (COMMAND_LINE,),
    **dict.fromkeys(("cheroot", "daphne", "waitress", "waitress-serve"), ()),  # one process
    None: (ARGUMENTS, FILE, CONCURRENCY, UVICORN, GRANIAN),
}
