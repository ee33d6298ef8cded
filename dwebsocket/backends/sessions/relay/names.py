"""What a process is called in the sids of its sessions."""

from __future__ import annotations

import re
import secrets

from django.utils.crypto import salted_hmac

from dwebsocket.groups.base import BaseGroupBackend
from dwebsocket.groups.survey import name_for_relay

__all__ = ["NoSuchProcess", "choose_name", "find_process", "split_sid"]

#: Hexadecimal digits of a name.
DIGITS = 16
NAME = re.compile(rf"[0-9a-f]{{{DIGITS}}}")


class NoSuchProcess(LookupError):
    """No process has this name."""


def split_sid(sid: str) -> str | None:
    """The name of the process that has made this sid; ``None``: it says none."""
    name, dot, _ = sid.partition(".")
    return name if dot and NAME.fullmatch(name) else None


def choose_name(backend: BaseGroupBackend) -> str:
    """A name for this process, which tells clients nothing."""
    name = backend.get_name()
    return secrets.token_hex(DIGITS // 2) if name is None else derive(name)


def derive(name: str) -> str:
    return salted_hmac("dwebsocket.relay", name).hexdigest()[:DIGITS]


def find_process(backend: BaseGroupBackend, name: str) -> str | None:
    """What the backend knows the process by that has this name; ``None``: it knows no names. May
    wait a moment.

    Raises:
        NoSuchProcess: as far as the backend can tell there is none.
    """
    processes = backend.list_processes()
    if processes is None:
        if backend.count_listeners(name_for_relay(name)) == 0:
            raise NoSuchProcess(name)
        return None
    for process in processes:
        if derive(process) == name:
            return process
    raise NoSuchProcess(name)
