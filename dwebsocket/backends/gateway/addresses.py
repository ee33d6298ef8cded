"""Where the front and the processes with the handlers meet, and with which keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

from dwebsocket.machine import find_directory

__all__ = ["Addresses", "Keys", "find_addresses", "load_zmq", "make_keys"]

#: The files of ``--keys``: what the front has, and what both know of each other.
FRONT, HANDLERS = "front", "handlers"

NEEDS_KEYS = (
    "{option} is {address!r}: over the network whoever reaches that port could speak for your "
    "clients, so both sides must have keys. Make some with `python manage.py run_wsserver "
    "--make-keys DIR`, copy the directory to each machine, and give it to both as `--keys DIR`. On "
    "one machine take an ipc:// address, or leave the option out."
)


class Keys(NamedTuple):
    """CURVE keys (RFC 26 of ZeroMQ), each 40 characters of Z85."""

    front_public: bytes
    front_secret: bytes
    handlers_public: bytes
    handlers_secret: bytes


class Addresses(NamedTuple):
    """Two sockets, both bound by the front.

    Attributes:
        push: the ZeroMQ address on which the front sends to the handlers.
        sub: the one on which they send to it.
        keys: needed for ``tcp``; ``None``: the sockets are files that nobody else can open.
    """

    push: str
    sub: str
    keys: Keys | None

    @property
    def files(self) -> list[Path]:
        """The files that the two sockets are, as far as they are files."""
        both = (self.push, self.sub)
        return [Path(one.removeprefix("ipc://")) for one in both if one.startswith("ipc://")]


def find_addresses(push: str | None, sub: str | None, keys: str | None) -> Addresses:
    """The addresses of this site.

    Args:
        push: of ``--push-socket``; ``None``: a file in the run directory.
        sub: of ``--sub-socket``, in the same way.
        keys: the directory of ``--keys``.

    Raises:
        ImproperlyConfigured: an address that cannot be used, or that needs keys.
        InvalidGroupBackend: the run directory cannot be used.
    """
    found = []
    for option, given, name in (
        ("--push-socket", push, "ws_push"),
        ("--sub-socket", sub, "ws_sub"),
    ):
        address = in_run_directory(name) if given is None else given
        if address.startswith("tcp://"):
            if keys is None:
                raise ImproperlyConfigured(NEEDS_KEYS.format(option=option, address=address))
        elif not address.removeprefix("ipc://").startswith("/"):
            raise ImproperlyConfigured(
                f"{option} is {address!r}, it must be ipc:// and an absolute path, such as "
                "ipc:///tmp/ws_push, or tcp:// with an address and a port"
            )
        found.append(address if "://" in address else f"ipc://{address}")
    if found[0] == found[1]:
        raise ImproperlyConfigured(f"--push-socket and --sub-socket are both {found[0]!r}")
    return Addresses(found[0], found[1], None if keys is None else read_keys(Path(keys)))


def in_run_directory(name: str) -> str:
    """A file where the processes of this site and user meet."""
    directory = find_directory()
    directory.make()
    return f"ipc://{directory.path / name}"


def load_zmq(*, green: bool = False) -> None:
    """See whether pyzmq is installed.

    Raises:
        ImproperlyConfigured: it is not.
    """
    try:
        import zmq

        if green:
            import zmq.green  # noqa: F401
    except ImportError as error:
        raise ImproperlyConfigured(
            f"the gateway needs what dwebsocket[gateway] installs: {error}. "
            'Run `python -m pip install "dwebsocket[gateway]"`'
        ) from error


def make_keys(directory: Path) -> None:
    """Make a directory with the keys of both sides.

    Raises:
        OSError: it cannot be made; or it is there already, and is left as it is.
    """
    import zmq

    directory.mkdir(mode=0o700, parents=True)
    for name in (FRONT, HANDLERS):
        public, secret = zmq.curve_keypair()
        file = directory / f"{name}.key"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(public + b"\n" + secret + b"\n")


def read_keys(directory: Path) -> Keys:
    """The keys that ``make_keys`` has made.

    Raises:
        ImproperlyConfigured: they are not there, or others may read them.
    """
    found = []
    for name in (FRONT, HANDLERS):
        file = directory / f"{name}.key"
        try:
            mode, lines = file.stat().st_mode, file.read_bytes().split()
        except OSError as error:
            raise ImproperlyConfigured(
                f"--keys is {str(directory)!r}: {error}. `--make-keys` makes such a directory"
            ) from error
        if mode & 0o077:
            raise ImproperlyConfigured(
                f"{file} can be read by others: its mode is {mode & 0o777:04o}, and must be 0600"
            )
        if [len(line) for line in lines] != [40, 40]:
            raise ImproperlyConfigured(f"{file} holds no pair of keys. `--make-keys` makes one")
        found += lines
    return Keys(*found)
