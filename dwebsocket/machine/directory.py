"""The run directory: where the processes of a site find each other.

Each process that listens has two files there, ``<its name>.sock`` and ``<its name>.lock``. The lock
is held for as long as it lives, and let go by the system however it ends: so a socket whose lock
can be had is that of a dead process, and is removed by whoever finds it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dwebsocket.conf import conf
from dwebsocket.exceptions import InvalidGroupBackend

__all__ = ["Claim", "RunDirectory", "find_directory"]

#: What a socket's address may have, in bytes: 108 on Linux, 104 elsewhere, with the final zero.
MAX_ADDRESS = 107 if sys.platform == "linux" else 103

#: A process's name: its pid, and a random part.
NAME = re.compile(r"\d{1,10}\.[0-9a-f]{8}")
SOCKET, LOCK = ".sock", ".lock"

#: Seconds by which the time of a change may be too early: file systems round it to the system's
#: tick, and another change of the same tick leaves it as it was.
TICK = 0.05


class RunDirectory:
    """The directory of one site and user.

    Attributes:
        path: where it is.

    Raises:
        InvalidGroupBackend: it is there, and nobody else's business is safe in it; or its path is
            too long for a socket's address.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        longest = os.fsencode(path / f"{2**32}.{'0' * 8}{SOCKET}.new")
        if len(longest) > MAX_ADDRESS:
            raise InvalidGroupBackend(
                f"the run directory {str(path)!r} is too long by {len(longest) - MAX_ADDRESS} "
                "bytes for the address of a socket: set WEBSOCKET_RUN_DIR to a shorter path"
            )
        self.check()

    def check(self) -> bool:
        """Whether it is there.

        Raises:
            InvalidGroupBackend: it is another user's, or others may write into it.
        """
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._unusable(str(error)) from error
        if not stat.S_ISDIR(found.st_mode):
            raise self._unusable("it is no directory")
        if found.st_uid != os.getuid():
            raise self._unusable(
                f"it belongs to the user {found.st_uid}, and this process runs as {os.getuid()}: "
                "all processes of a site run as one user"
            )
        mode = stat.S_IMODE(found.st_mode)
        if mode & 0o077:
            raise self._unusable(f"its mode is {mode:04o}, and must be 0700: others could get in")
        return True

    def _unusable(self, reason: str) -> InvalidGroupBackend:
        return InvalidGroupBackend(
            f"the run directory {str(self.path)!r} cannot be used: {reason}. Remove it, correct "
            "it, or set WEBSOCKET_RUN_DIR to another one"
        )

    def make(self) -> None:
        """Have it.

        Raises:
            InvalidGroupBackend: it cannot be made, or not used.
        """
        if self.check():
            return
        try:
            self.path.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            pass  # another process was faster
        except OSError as error:
            raise self._unusable(str(error)) from error
        self.check()

    def claim(self) -> Claim:
        """A name for this process.

        Raises:
            OSError: no file can be made there.
        """
        return Claim(self.path, f"{os.getpid()}.{os.urandom(4).hex()}")

    def changed(self) -> int | None:
        """When a process came or went; ``None`` if nobody has ever been here."""
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return None

    def names(self) -> list[str]:
        """The processes that listen, or did when they died."""
        try:
            files = [file.name for file in self.path.iterdir()]
        except OSError:
            return []
        return sorted(
            name
            for file in files
            if NAME.fullmatch(name := file.removesuffix(SOCKET)) and file.endswith(SOCKET)
        )

    def socket_of(self, name: str) -> str:
        """The address at which a process listens."""
        return str(self.path / (name + SOCKET))

    def is_alive(self, name: str) -> bool:
        """Whether a process lives; one that does not is removed."""
        if not NAME.fullmatch(name):
            return False
        with self._lock_of(name) as is_free:
            if is_free:
                for suffix in (SOCKET, LOCK):
                    with suppress(OSError):
                        (self.path / (name + suffix)).unlink()
        return not is_free

    @contextmanager
    def _lock_of(self, name: str) -> Iterator[bool]:
        """Whether nobody has the lock of this process."""
        try:
            descriptor = os.open(self.path / (name + LOCK), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            yield True
            return
        except OSError:  # no descriptor left, for one: nothing is known
            yield False
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
        finally:
            os.close(descriptor)


class Claim:
    """The name of this process, and that it lives.

    Attributes:
        name: what others know it by.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.socket = path / (name + SOCKET)
        self._lock = path / (name + LOCK)
        self._descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def release(self) -> None:
        """Remove the files of this process."""
        for file in (self.socket, self._lock):
            with suppress(OSError):
                file.unlink()
        self.forget()

    def forget(self) -> None:
        """In a forked child: the lock is the parent's."""
        os.close(self._descriptor)


def find_directory() -> RunDirectory:
    """The run directory of this site and user; nothing is made.

    Raises:
        InvalidGroupBackend: there is one that cannot be used.
    """
    own = conf.RUN_DIR
    if own is not None:
        return RunDirectory(Path(own))
    module = os.environ.get("DJANGO_SETTINGS_MODULE", "")
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    site = hashlib.sha256(f"{module}\0{Path(file).absolute()}".encode()).hexdigest()[:12]
    return RunDirectory(Path(tempfile.gettempdir()) / f"dwebsocket-{os.getuid()}-{site}")


def is_settled(changed: int) -> bool:
    """Whether a later change would have another time."""
    return time.time_ns() - changed > TICK * 1e9
