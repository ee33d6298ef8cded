"""``manage.py websocket_doctor [URL]``."""

from __future__ import annotations

import json
import threading
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from dwebsocket.management.doctor.configuration import examine_configuration
from dwebsocket.management.doctor.findings import Finding, Mark, fault
from dwebsocket.management.doctor.installed import examine_installed
from dwebsocket.management.doctor.machine import examine_machine
from dwebsocket.management.doctor.running import examine_running
from dwebsocket.management.doctor.visit import InvalidVisit, Visit, make_visit
from dwebsocket.management.doctor.way import Trials, examine_way

__all__ = ["Command"]

IDLE = 70.0


class Command(BaseCommand):
    """Tells what this machine, this configuration, and the way to an address can carry."""

    help = (
        "Say what this machine and this configuration can carry, and, with an address, whether a "
        "browser would get a WebSocket there, and what is in its way. Exits with 1 at a fault."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012  # they are among what is looked at

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("url", nargs="?", help="ws://, wss://, http:// or https:// address")
        add("--origin", help="of the page; the site's own by default; '': none is sent")
        add("--cookie", action="append", metavar="NAME=VALUE", help="sent with it")
        add("--header", action="append", metavar="'NAME: VALUE'", help="sent with it")
        add("--subprotocol", action="append", help="that the page offers")
        add("--connect", metavar="HOST:PORT", help="go there, not where the name leads")
        silence = f"say nothing for so long, {IDLE:g} s by default: is the connection cut?"
        add("--idle", nargs="?", const=IDLE, type=seconds, metavar="SECONDS", help=silence)
        message = (
            "send the view a message of so many bytes, WEBSOCKET_MAX_MESSAGE_SIZE by default, and "
            "then one byte more"
        )
        add("--size", nargs="?", const=0, type=whole, metavar="BYTES", help=message)
        add("--json", action="store_true", help="for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = []
        for finding in self.examine(options):
            findings.append(finding)
            if not options["json"]:
                self.stdout.write(self.show(finding))
        if options["json"]:
            self.stdout.write(json.dumps([as_object(finding) for finding in findings], indent=2))
        marks = Counter(finding.mark for finding in findings)
        if marks[Mark.FAULT]:
            raise CommandError(f"Faults: {marks[Mark.FAULT]}.")

    def examine(self, options: dict[str, Any]) -> Iterator[Finding]:
        """All that is looked at, in its order."""
        visit = read_visit(options)
        size = options["size"]
        trials = Trials(options["idle"], size is not None, size or None)
        return chain(
            examine_machine(),
            examine_configuration(),
            examine_installed(),
            examine_running(),
            examine_address(visit, trials) if visit else (),
        )

    def show(self, finding: Finding) -> str:
        """One line, in the colours of Django's."""
        styles = {
            Mark.OK: self.style.SUCCESS,
            Mark.WARNING: self.style.WARNING,
            Mark.FAULT: self.style.ERROR,
        }
        mark = styles[finding.mark](f"{finding.mark.value:<8}")
        return f"{mark} {finding.step:<13} {printable(finding.sentence)}"


def examine_address(visit: Visit, trials: Trials) -> Iterator[Finding]:
    """The way there, as far as right settings lead."""
    try:
        yield from examine_way(visit, trials)
    except ImproperlyConfigured as error:
        yield fault("settings", f"They are needed to go on: {error}", "Correct them first.")


def seconds(text: str) -> float:
    """A number above 0 of the command line."""
    value = float(text)
    if not 0 < value <= threading.TIMEOUT_MAX:
        raise ValueError(text)
    return value


def whole(text: str) -> int:
    """A whole number above 0 of the command line."""
    value = int(text)
    if value <= 0:
        raise ValueError(text)
    return value


def printable(text: str) -> str:
    """What a server sent, fit for a screen: one line, and nothing that moves the cursor."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def read_visit(options: dict[str, Any]) -> Visit | None:
    """What the command line says of the address."""
    if options["url"] is None:
        return None
    try:
        return make_visit(
            options["url"],
            origin=options["origin"],
            headers=options["header"],
            cookies=options["cookie"],
            subprotocols=options["subprotocol"],
            endpoint=options["connect"],
        )
    except InvalidVisit as error:
        raise CommandError(str(error)) from error


def as_object(finding: Finding) -> dict[str, str]:
    return {
        "mark": finding.mark.value,
        "step": finding.step,
        "text": finding.text,
        "advice": finding.advice,
    }
