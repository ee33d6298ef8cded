"""The backend of this process: the one that ``WEBSOCKET_GROUPS`` describes."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from typing import Any

from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from dwebsocket.conf import DEFAULT_GROUPS, conf
from dwebsocket.exceptions import InvalidGroupBackend

from .base import BaseGroupBackend
from .members import Members
from .serving import is_test

__all__ = [
    "count_slow",
    "create_backend",
    "find_backend",
    "find_obstacle",
    "get_backend",
    "get_members",
    "get_slow",
    "load_class",
    "show",
]

logger = logging.getLogger("dwebsocket.groups")

KEYS = {"BACKEND", "LOCATION", "OPTIONS"}

MEMORY = "dwebsocket.groups.memory.MemoryGroupBackend"

ONE_PROCESS = "Groups reach the members in the sender's own process only: %s"


class Process:
    """What every process has once: the members, the backend, the number of slow readers."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.members = Members()
        self.backend: BaseGroupBackend | None = None
        self.slow = 0


process = Process()


def get_members() -> Members:
    """The members of this process."""
    return process.members


def count_slow() -> None:
    """Count a reader that is closed because too much waits for it."""
    with process.lock:
        process.slow += 1


def get_slow() -> int:
    """How many readers were closed because too much waited for them."""
    return process.slow


def find_backend() -> BaseGroupBackend | None:
    """The backend, if it has been needed."""
    return process.backend


def get_backend() -> BaseGroupBackend:
    """The backend, made on first use.

    Raises:
        InvalidGroupBackend: the setting does not describe one.
    """
    if process.pid != os.getpid():
        start_anew()  # uWSGI forks without a word to Python
    backend = process.backend
    if backend is None:
        with process.lock:
            backend = process.backend
            if backend is None:
                backend = process.backend = create_backend(conf.GROUPS, process.members)
    return backend


def create_backend(setting: Any, members: Members) -> BaseGroupBackend:
    """A backend for these members, as a value of ``WEBSOCKET_GROUPS`` describes it.

    Raises:
        InvalidGroupBackend: the value does not describe one.
    """
    backend = make_default(members) if setting is DEFAULT_GROUPS else make(setting, members)
    for name in members.names():  # of an earlier backend, when a test changes the setting
        backend.subscribe(name)
    return backend


def make(setting: Any, members: Members) -> BaseGroupBackend:
    backend_class = load_class(setting)
    options: Mapping[str, Any] = setting.get("OPTIONS") or {}
    return backend_class(members, setting.get("LOCATION"), options)


def make_default(members: Members) -> BaseGroupBackend:
    """All processes of the machine; a test has its own groups, or those that run beside it, and the
    site itself, would get what it sends.
    """
    if is_test():
        return make({"BACKEND": MEMORY}, members)
    try:
        return make(DEFAULT_GROUPS, members)
    except InvalidGroupBackend as error:
        logger.warning(ONE_PROCESS, error)
        return make({"BACKEND": MEMORY}, members)


def find_obstacle() -> InvalidGroupBackend | None:
    """Why the default reaches the members in the sender's own process only; ``None``: it reaches
    all of this machine.
    """
    try:
        make(DEFAULT_GROUPS, Members()).close()
    except InvalidGroupBackend as error:
        return error
    return None


def load_class(setting: Any) -> type[BaseGroupBackend]:
    """The class that a value of ``WEBSOCKET_GROUPS`` names.

    Raises:
        InvalidGroupBackend: the value names none, or it cannot be used on this system.
    """
    check_setting(setting)
    path = setting["BACKEND"]
    try:
        found = import_string(path)
    except ImportError as error:
        raise InvalidGroupBackend(
            f"WEBSOCKET_GROUPS: {path!r} cannot be imported: {error}"
        ) from error
    if not (isinstance(found, type) and issubclass(found, BaseGroupBackend)):
        raise InvalidGroupBackend(
            f"WEBSOCKET_GROUPS: {path!r} is no class derived from "
            "dwebsocket.groups.base.BaseGroupBackend"
        )
    return found


def check_setting(setting: Any) -> None:
    """Look at the keys of a value of ``WEBSOCKET_GROUPS``, and at what they hold.

    Raises:
        InvalidGroupBackend: the value cannot describe a backend.
    """
    if not isinstance(setting, Mapping) or not isinstance(setting.get("BACKEND"), str):
        raise InvalidGroupBackend(
            f"WEBSOCKET_GROUPS is {show(setting)}, it must be a dictionary whose 'BACKEND' is the "
            "dotted path of a class, such as 'dwebsocket.groups.memory.MemoryGroupBackend'"
        )
    unknown = set(setting) - KEYS
    if unknown:
        raise InvalidGroupBackend(
            f"WEBSOCKET_GROUPS has the key {sorted(unknown)[0]!r}; there are "
            "'BACKEND', 'LOCATION' and 'OPTIONS'"
        )
    options = setting.get("OPTIONS")
    if options is not None and not isinstance(options, Mapping):
        raise InvalidGroupBackend(
            f"WEBSOCKET_GROUPS: 'OPTIONS' is {show(options)}, it must be a dictionary"
        )


def show(value: Any) -> str:
    """A wrong value of the setting, for messages: not one that may hold a password."""
    text = repr(value)
    if "@" in text or "password" in text.lower():
        return f"a {type(value).__name__} (which has a password, perhaps)"
    return text


def forget_backend(*, setting: str, **kwargs: Any) -> None:
    """Forget the backend: a test has changed the setting."""
    if setting == "WEBSOCKET_GROUPS":
        backend, process.backend = process.backend, None
        if backend is not None:
            backend.close()


def start_anew() -> None:
    """Forget the members and the backend in a forked child: they are the parent's."""
    global process
    backend, process = process.backend, Process()
    if backend is not None:
        backend.abandon()


setting_changed.connect(forget_backend, dispatch_uid="dwebsocket.groups")

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=start_anew)
