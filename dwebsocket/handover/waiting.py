"""The way of connections to a process that runs only when this one has ended: another one keeps
them meanwhile.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

from dwebsocket.conf import conf
from dwebsocket.exceptions import InvalidGroupBackend
from dwebsocket.machine.directory import find_directory
from dwebsocket.machine.passing import PassingError, Sender, find_passing_directory
from dwebsocket.transports.poll import wait_readable

__all__ = ["Waiting"]

logger = logging.getLogger("dwebsocket.connection")

#: Seconds in which the keeper must say its name.
START_TIMEOUT = 25.0

KEEPER = "dwebsocket.handover.keeper"


class Waiting:
    """Has a keeper, which takes all: see ``Takers``. A context manager.

    Args:
        starter: see ``Keeper``.
    """

    def __init__(self, starter: int) -> None:
        self.told: dict[Sender, int] = {}
        self._starter = starter
        self._stack = ExitStack()
        self._sender: Sender | None = None
        self._has_tried = False

    def __enter__(self) -> Waiting:
        return self

    def __exit__(self, *args: object) -> None:
        self._stack.close()

    def find(self, *, wait: bool) -> bool:
        """Whether there is one; it is started with the first call."""
        if not self._has_tried:
            self._has_tried = True
            try:
                sender = Sender(find_passing_directory(), start_keeper(self._starter))
                self._sender = self._stack.enter_context(sender)
                self.told[sender] = 0
            except (PassingError, OSError, InvalidGroupBackend, NoKeeper) as error:
                logger.warning("WebSockets cannot be kept until the next process runs: %s", error)
        return self._sender is not None

    def refresh(self) -> None:
        """There is one at most."""

    def next(self) -> Sender | None:
        """The way to it; ``None``: it does not take any more."""
        return self._sender

    def give_up(self, sender: Sender) -> None:
        """It does not take more."""
        self._sender = None
        sender.close()

    def ask_others(self, sender: Sender, question: bytes, timeout: float) -> None:
        """There are none."""


class NoKeeper(Exception):
    """It cannot be started."""


def start_keeper(starter: int) -> str:
    """Start the process; the name by which others know it.

    Raises:
        NoKeeper: it does not run.
        OSError: it cannot be started.
    """
    directory, seconds = str(find_directory().path), str(conf.HANDOVER_TIMEOUT)
    process = subprocess.Popen(
        [find_python(), "-m", KEEPER, directory, str(starter), seconds],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,  # what a terminal sends to the server is not for it
    )
    process.returncode = 0  # nobody waits for it: it outlives this process
    assert process.stdout is not None
    with process.stdout as output:
        deadline = monotonic() + START_TIMEOUT
        said = b""
        while not said.endswith(b"\n"):
            if not wait_readable(output.fileno(), max(0.0, deadline - monotonic())):
                raise NoKeeper(f"it is not there within {START_TIMEOUT:.0f} seconds")
            piece = os.read(output.fileno(), 1024)
            if not piece:
                raise NoKeeper("it has ended, and has told why on this process's error output")
            said += piece
    return said.decode().strip()


def find_python() -> str:
    """The interpreter: inside uWSGI ``sys.executable`` is that.

    Raises:
        NoKeeper: it is not found.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = [
        *(
            [sys.executable]
            if Path(sys.executable or "").name.startswith(("python", "pypy"))
            else []
        ),
        *(str(Path(prefix, "bin", version)) for prefix in (sys.prefix, sys.base_prefix)),
    ]
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return candidate
    raise NoKeeper(f"there is no {' and no '.join(candidates)}")
