"""``manage.py websocket_send GROUP MESSAGE``."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from dwebsocket.management import sending

__all__ = ["Command"]


class Command(BaseCommand):
    """Sends one message to a group, from a process that holds no connection."""

    help = "Send a message to all WebSockets of a group."
    requires_system_checks: list[str] = []  # noqa: RUF012  # as Django declares it

    def add_arguments(self, parser: ArgumentParser) -> None:
        sending.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        sending.send(options, self.stderr)
