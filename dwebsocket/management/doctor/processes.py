"""The servers of this project that run on this machine, as /proc shows them."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from django.conf import settings

__all__ = ["ServerProcess", "find_servers"]

PROGRAMS = {
    *("gunicorn", "uvicorn", "daphne", "hypercorn", "granian", "uwsgi"),
    *("cheroot", "waitress", "waitress-serve", "runserver", "runserver_plus"),
}
#: gunicorn's title where setproctitle is installed, which hides its command line.
TITLE = re.compile(r"gunicorn: master \[(.*)\]")


@dataclass(frozen=True)
class ServerProcess:
    """The first process of a server; its workers are its children.

    Attributes:
        pid: its number.
        program: the server.
        words: its command line, from the program on; empty if that is hidden.
        directory: where it was started; ``None`` if that may not be looked at.
        environment: the variables that it was started with; ``None`` as above.
    """

    pid: int
    program: str
    words: list[str]
    directory: Path | None
    environment: dict[str, str] | None = field(repr=False)

    def find_option(self, *names: str) -> str | None:
        """The value of an option, the last one, as ``--name value``, ``--name=value``, or
        ``-nvalue``; that of gunicorn's variable, too.
        """
        found = None
        words = self.arguments
        for word, following in zip(words, [*words[1:], ""], strict=False):
            for name in names:
                if word == name:
                    found = following
                elif name.startswith("--") and word.startswith(f"{name}="):
                    found = word.partition("=")[2]
                elif not name.startswith("--") and word.startswith(name) and len(word) > 2:
                    found = word[len(name) :].lstrip("=")
        return found

    def has_option(self, name: str) -> bool:
        """Whether an option is there, with or without a value."""
        return any(word.partition("=")[0] == name for word in self.arguments)

    @cached_property
    def arguments(self) -> list[str]:
        """What it heeds as its command line: for gunicorn's variable comes before that."""
        further = self.read_variable("GUNICORN_CMD_ARGS") if self.program == "gunicorn" else None
        return [*(further or "").split(), *self.words]

    def read_variable(self, name: str) -> str | None:
        """A variable that it was started with, if that can be seen."""
        return (self.environment or {}).get(name)

    @cached_property
    def max_descriptors(self) -> int | None:
        """How many it may open, if there is a limit, and it may be looked at."""
        with suppress(OSError):
            limits = Path(f"/proc/{self.pid}/limits").read_text()
            found = re.search(r"^Max open files +(\d+)", limits, re.M)
            return int(found[1]) if found else None
        return None

    @cached_property
    def constants(self) -> dict[str, object]:
        """Plain values of gunicorn's configuration file; what is computed is ``...``."""
        named = (self.find_option("-c", "--config") or "gunicorn.conf.py").removeprefix("file:")
        try:
            text = ((self.directory or Path()) / named).read_text(encoding="utf-8")
            body = ast.parse(text).body
        except (OSError, SyntaxError, ValueError):
            return {}
        return {
            target.id: node.value.value if isinstance(node.value, ast.Constant) else ...
            for node in body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }


def find_servers() -> list[ServerProcess]:
    """Those that were started in this directory or in the settings' BASE_DIR; and those of others,
    whose directory may not be looked at, that name this project's module.
    """
    found = {server.pid: (parent, server) for parent, server in list_servers()}
    ours = {pid: one for pid, (_, one) in found.items() if is_of_this_project(one)}
    return [one for pid, one in sorted(ours.items()) if found[pid][0] not in ours]


def list_servers() -> Iterator[tuple[int, ServerProcess]]:
    """All of this machine, each with the number of its parent."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):  # it has ended meanwhile
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
            program, options = find_program(words)
            if program is not None:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                yield parent, read_server(entry, program, options)


def find_program(words: list[str]) -> tuple[str | None, list[str]]:
    """The server that a command line runs, and what follows: ``gunicorn …``, ``python gunicorn …``,
    ``python -m gunicorn …``, ``python manage.py runserver …``.
    """
    if words and TITLE.match(words[0]):
        return "gunicorn", []
    rest = words[find_script(words) :] if words else []
    if rest and Path(rest[0]).name in ("manage.py", "django", "django-admin"):
        rest = rest[1:] if rest[1:2] in (["runserver"], ["runserver_plus"]) else []
    name = Path(rest[0]).name if rest else None
    return (name, rest[1:]) if name in PROGRAMS else (None, [])


def find_script(words: list[str]) -> int:
    """The position of what Python runs, or of the program itself."""
    if not Path(words[0]).name.startswith(("python", "pypy")):
        return 0
    for position, word in enumerate(words[1:], 1):
        if not word.startswith("-") and words[position - 1] not in ("-W", "-X"):
            return position
    return len(words)


def read_server(entry: Path, program: str, words: list[str]) -> ServerProcess:
    directory, environment = None, None
    with suppress(PermissionError):
        directory = Path(os.readlink(entry / "cwd"))  # noqa: PTH115  # the target as it is said
        variables = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
        environment = dict(one.partition("=")[::2] for one in variables)
    program = {"waitress-serve": "waitress"}.get(program, program)
    return ServerProcess(int(entry.name), program, words, directory, environment)


def is_of_this_project(server: ServerProcess) -> bool:
    if server.directory is not None:
        base = getattr(settings, "BASE_DIR", None)
        directories = {Path.cwd(), *([Path(base).resolve()] if base else [])}
        return server.directory in directories
    package = str(getattr(settings, "SETTINGS_MODULE", "")).partition(".")[0]
    return any(word.partition(":")[0].split(".")[0] == package for word in server.words if package)
