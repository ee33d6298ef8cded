"""Sending one message to a group, from a process that holds no connection."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError, OutputWrapper

from dwebsocket.exceptions import GroupUnavailable, InvalidGroupBackend
from dwebsocket.groups import Group
from dwebsocket.groups.current import get_backend
from dwebsocket.groups.history import find_rule

__all__ = ["add_arguments", "send"]


def add_arguments(parser: ArgumentParser) -> None:
    """What a command line says: which group, and what."""
    parser.add_argument("group", help="name of the group")
    parser.add_argument("message", help="text of the message")
    parser.add_argument("--json", action="store_true", help="refuse what is not JSON")


def send(options: dict[str, Any], stderr: OutputWrapper) -> None:
    """Send it; say there why nobody gets it, if that is so.

    Raises:
        CommandError: it cannot be sent, or would reach nobody.
    """
    message: str = options["message"]
    if options["json"]:
        check_json(message)
    try:
        group = Group(options["group"])
        backend = get_backend()
        reason = None if len(group) else backend.explain_silence()
        if reason is not None and not backend.shared:
            raise CommandError(f"Nobody would get this: {reason}")
        group.send(message)
        reason = reason or explain_no_members(group)
    except (GroupUnavailable, InvalidGroupBackend, ValueError) as error:
        raise CommandError(str(error)) from error
    if reason is not None:  # no error: perhaps nobody is connected just now
        kept = ", and its history keeps it" if find_rule(group.name) else ""
        stderr.write(f"Nobody gets this now{kept}: {reason}")


def explain_no_members(group: Group) -> str | None:
    """Why nobody gets what was sent although processes listen, if that is so."""
    try:
        members = len(group) or group.count()
    except (GroupUnavailable, InvalidGroupBackend):  # nobody can say
        return None
    return None if members else f"the group {group.name!r} has no members. Is that its name?"


def check_json(message: str) -> None:
    try:
        json.loads(message)
    except ValueError as error:
        raise CommandError(f"The message is not JSON: {error}") from error
