"""``manage.py runserver``: that of the app behind ours in INSTALLED_APPS, which takes an option of
django-websocket, too.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Iterator
from importlib import import_module
from itertools import dropwhile, islice
from pathlib import Path
from typing import Any

from django.apps import AppConfig, apps
from django.core.management import find_commands
from django.core.management.base import CommandError
from django.utils.autoreload import DJANGO_AUTORELOAD_ENV

__all__ = ["Command"]


def find_next() -> Any:
    """The command that would be run without ours: staticfiles', daphne's, or Django's own."""
    for config in apps_behind("dwebsocket"):
        if "runserver" in find_commands(str(Path(config.path) / "management")):
            return import_module(f"{config.name}.management.commands.runserver").Command
    return import_module("django.core.management.commands.runserver").Command


def apps_behind(name: str) -> Iterator[AppConfig]:
    """The installed apps that are listed after one; the first with a command is asked for it."""
    return islice(dropwhile(lambda one: one.name != name, apps.get_app_configs()), 1, None)


class Command(find_next()):  # type: ignore[misc]  # known when the apps are
    """Serves as the other one does."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--multithreaded",
            action="store_true",
            help="Of django-websocket, and not needed: connections are served side by side anyway.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["multithreaded"]:
            if not options["use_threading"]:
                raise CommandError(
                    "--multithreaded and --nothreading contradict each other. Leave both out: "
                    "connections are served side by side by default."
                )
            if DJANGO_AUTORELOAD_ENV not in os.environ:  # said before the first start alone
                self.stdout.write(
                    "--multithreaded is not needed: runserver serves connections side by side "
                    "anyway."
                )
        super().handle(*args, **options)
