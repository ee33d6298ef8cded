"""Sending one message to a group, from a process that holds no connection."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from dwebsocket.exceptions import GroupUnavailable, InvalidGroupBackend
from dwebsocket.groups import Group
from dwebsocket.groups.current import get_backend

__all__ = ["add_arguments", "send"]


def add_arguments(parser: ArgumentParser) -> None:
    """What a command line says: which group, and what."""
    parser.add_argument("group", help="name of the group")
    parser.add_argument("message", help="text of the message")
    parser.add_argument("--json", action="store_true", help="refuse what is not JSON")


def send(options: dict[str, Any]) -> None:
    """Send it.

    Raises:
        CommandError: it cannot be sent, or would reach nobody.
    """
    message: str = options["message"]
    if options["json"]:
        check_json(message)
    try:
        group = Group(options["group"])
        if not get_backend().shared and not len(group):
            raise CommandError(
                "Nobody would get this: the backend of WEBSOCKET_GROUPS reaches the "
                "members in its own process only, and this one has none. Choose "
                "'dwebsocket.groups.redis.RedisGroupBackend'."
            )
        group.send(message)
    except (GroupUnavailable, InvalidGroupBackend, ValueError) as error:
        raise CommandError(str(error)) from error


def check_json(message: str) -> None:
    try:
        json.loads(message)
    except ValueError as error:
        raise CommandError(f"The message is not JSON: {error}") from error
