"""The run directory: where the processes of a site find each other.

Each process that listens has two files there, ``<its name>.sock`` and ``<its name>.lock``. The lock
is held for as long as it lives, and let go by the system however it ends: so a socket whose lock
can be had is that of a dead process, and is removed by whoever finds it, or comes next.
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

from django.conf import settings

from dwebsocket.conf import conf
from dwebsocket.exceptions import ForeignRunDirectory, InvalidGroupBackend

__all__ = ["NEW", "Claim", "RunDirectory", "find_directory", "find_others", "is_settled"]

#: What a socket's address may have, in bytes: 108 on Linux, 104 elsewhere, with the final zero.
MAX_ADDRESS = 107 if sys.platform == "linux" else 103

#: A process's name: its pid, and a random part.
NAME = re.compile(r"\d{1,10}\.[0-9a-f]{8}")
SOCKET, LOCK, NEW = ".sock", ".lock", ".new"

#: Seconds by which the time of a change may be too early: file systems round it to the system's
#: tick, and another change of the same tick leaves it as it was. Some know whole seconds only.
TICK, WHOLE = 0.05, 2.0

#: Seconds after which the files of a process are touched: what cleans temporary directories
#: removes those that are old.
TOUCH = 3600.0


class RunDirectory:
    """The directory of one site and user.

    Args:
        parent: the run directory in which it is, if it is not that itself.

    Attributes:
        path: where it is.

    Raises:
        InvalidGroupBackend: it is there, and nobody else's business is safe in it; or its path is
            too long for a socket's address.
    """

    def __init__(self, path: Path, parent: RunDirectory | None = None) -> None:
        self.path = path
        self._parent = parent
        self._path = os.fspath(path)  # what is asked for each message
        longest = os.fsencode(path / f"{2**32}.{'0' * 8}{SOCKET}{NEW}")
        if len(longest) > MAX_ADDRESS:
            raise InvalidGroupBackend(
                f"the run directory {str(path)!r} is too long by {len(longest) - MAX_ADDRESS} "
                "bytes for the address of a socket: set WEBSOCKET_RUN_DIR to a shorter path"
            )
        self.check()

    def check(self) -> bool:
        """Whether it is there.

        Raises:
            ForeignRunDirectory: it is another user's.
            InvalidGroupBackend: others may write into it, or it is none.
        """
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return False
        except PermissionError as error:
            raise self._unusable(str(error), ForeignRunDirectory) from error
        except OSError as error:
            raise self._unusable(str(error)) from error
        if not stat.S_ISDIR(found.st_mode):
            raise self._unusable("it is no directory")
        if found.st_uid != os.geteuid():
            raise self._unusable(
                f"it belongs to the user {found.st_uid}, and this process runs as {os.geteuid()}: "
                "all processes of a site run as one user",
                ForeignRunDirectory,
            )
        mode = stat.S_IMODE(found.st_mode)
        if mode & 0o777 != 0o700:
            raise self._unusable(f"its mode is {mode:04o}, and must be 0700: nobody else's")
        return True

    def _unusable(
        self, reason: str, kind: type[InvalidGroupBackend] = InvalidGroupBackend
    ) -> InvalidGroupBackend:
        return kind(
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
        if self._parent is not None:
            self._parent.make()
        try:
            self.path.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            pass  # another process was faster
        except OSError as error:
            raise self._unusable(str(error)) from error
        self.check()

    def check_usable(self) -> None:
        """See whether it can be had, and make nothing: that is for the user who serves the site.

        Raises:
            InvalidGroupBackend: it cannot.
        """
        self.check()
        place = self.path
        while not place.exists() and place != place.parent:
            place = place.parent
        if not place.is_dir():
            raise self._unusable(f"{place} is no directory")
        if not os.access(place, os.W_OK | os.X_OK):
            raise self._unusable(f"this process may not write into {place}")

    def claim(self, name: str) -> Claim:
        """A name for this process. What is left of dead ones is removed.

        Raises:
            OSError: no file can be made there.
        """
        for other in self._list(SOCKET, SOCKET + NEW, LOCK):
            if other != name:
                self.is_alive(other)
        return Claim(self.path, name)

    def changed(self) -> int | None:
        """When a process came or went; ``None`` if nobody has ever been here."""
        try:
            return os.stat(self._path).st_mtime_ns  # noqa: PTH116  # Path takes longer
        except OSError:
            return None

    def names(self) -> set[str]:
        """The processes that listen, or did when they died.

        Raises:
            OSError: it cannot be read now.
        """
        return self._list(SOCKET)

    def _list(self, *suffixes: str) -> set[str]:
        try:
            files = [file.name for file in self.path.iterdir()]
        except FileNotFoundError:
            return set()
        names = {
            file.removesuffix(suffix)
            for file in files
            for suffix in suffixes
            if file.endswith(suffix)
        }
        return {name for name in names if NAME.fullmatch(name)}

    def socket_of(self, name: str) -> str:
        """The address at which a process listens."""
        return str(self.path / (name + SOCKET))

    def is_alive(self, name: str) -> bool:
        """Whether a process lives; one that does not is removed."""
        if not NAME.fullmatch(name):
            return False
        with self._lock_of(name) as is_free:
            if is_free:
                for suffix in (SOCKET, SOCKET + NEW, LOCK):
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
        socket: where it listens.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.socket = path / (name + SOCKET)
        self._lock = path / (name + LOCK)
        self._descriptor = lock(self._lock)
        self._touched = time.monotonic()

    def is_in_place(self) -> bool:
        """Whether the files are still there; now and then it is seen to that they stay."""
        if self._descriptor < 0:
            return False
        try:
            if not os.path.samestat(os.fstat(self._descriptor), self._lock.stat()):
                return False
            self.socket.lstat()
            if time.monotonic() - self._touched > TOUCH:
                self._touched = time.monotonic()
                os.utime(self._lock)
                os.utime(self.socket)
        except FileNotFoundError:
            return False
        except OSError:
            pass  # nobody knows
        return True

    def release(self) -> None:
        """Remove the files of this process."""
        if self._descriptor >= 0:
            for file in (self.socket, self.socket.with_name(self.socket.name + NEW), self._lock):
                with suppress(OSError):
                    file.unlink()
        self.forget()

    def forget(self) -> None:
        """Give the lock back; in a forked child it is the parent's, who has it still."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def lock(path: Path) -> int:
    """The descriptor of a file that nobody else has locked, and that is in its place."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:  # else it was taken for that of a dead process
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def find_directory() -> RunDirectory:
    """The run directory of this site and user; nothing is made.

    Raises:
        InvalidGroupBackend: there is one that cannot be used.
    """
    own = conf.RUN_DIR
    return RunDirectory(Path(own) if own is not None else parent() / f"{PREFIX}{user()}-{site()}")


def find_others() -> list[str]:
    """The run directories of this site that belong to other users, if it has none of its own."""
    if conf.RUN_DIR is not None:
        return []
    return sorted(
        os.fspath(path)
        for path in parent().glob(f"{PREFIX}*-{site()}")
        if path.name != f"{PREFIX}{user()}-{site()}"
    )


PREFIX = "dwebsocket-"


def parent() -> Path:
    return Path(tempfile.gettempdir())


def user() -> int:
    return os.geteuid()


def site() -> str:
    """What tells this site from others: the name of its settings, and their file; without such a
    module the file of its URLconf.
    """
    name = getattr(settings, "SETTINGS_MODULE", None) or ""
    module = name or getattr(settings, "ROOT_URLCONF", "")
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return hashlib.sha256(f"{name}\0{Path(file).absolute()}".encode()).hexdigest()[:12]


def is_settled(changed: int) -> bool:
    """Whether a later change would have another time."""
    tick = TICK if changed % 1_000_000_000 else WHOLE
    return time.time_ns() - changed > tick * 1e9
