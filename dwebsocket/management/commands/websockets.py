"""``manage.py websockets``: who is connected, in all processes of the site."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dwebsocket import connections
from dwebsocket.connections import Connections, Stats
from dwebsocket.exceptions import GroupUnavailable, InvalidGroupBackend
from dwebsocket.groups.current import get_backend
from dwebsocket.management import sending
from dwebsocket.management.tables import draw_connections, draw_stats, show_silent
from dwebsocket.management.watching import watch
from dwebsocket.protocol.frames import CloseCode

__all__ = ["Command"]

ALONE = (
    "Nobody can be asked: the backend of WEBSOCKET_GROUPS reaches this process only. Choose "
    "'dwebsocket.groups.machine.MachineGroupBackend' or "
    "'dwebsocket.groups.redis.RedisGroupBackend', here and where WebSockets are served."
)
NOBODY = (
    "No other process has answered: none of this site serves WebSockets, or has since it was "
    "started; or they have other settings (DJANGO_SETTINGS_MODULE, WEBSOCKET_GROUPS, "
    "WEBSOCKET_RUN_DIR), or run as another user."
)


class Command(BaseCommand):
    """Lists the WebSockets of all processes, closes them, sends to groups."""

    help = "List the WebSockets that are open in all processes of the site, or close them."
    requires_system_checks: list[str] = []  # noqa: RUF012  # as Django declares it

    def add_arguments(self, parser: CommandParser) -> None:
        add_filters(parser)
        parser.add_argument("--json", action="store_true", help="as JSON")
        parser.add_argument("--watch", action="store_true", help="anew each second; q ends it")
        commands = parser.add_subparsers(dest="command", metavar="close | send | stats")
        close = commands.add_parser("close", help="close WebSockets")
        close.add_argument("ids", nargs="*", metavar="ID", help="as they are listed")
        add_filters(close)
        close.add_argument("--everyone", action="store_true", help="all of them")
        close.add_argument(
            "--code", type=int, default=int(CloseCode.GOING_AWAY), help="default: 1001"
        )
        close.add_argument("--reason", default="", help="what the client is told")
        sending.add_arguments(commands.add_parser("send", help="send a message to a group"))
        stats = commands.add_parser("stats", help="count them, by process")
        stats.add_argument("--json", action="store_true", help="as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        command = {"close": self._close, "send": self._send, "stats": self._count}.get(
            options["command"], self._list
        )
        try:
            if options["command"] != "send" and not get_backend().shared:
                raise CommandError(ALONE)
            command(options)
            self.stdout.flush()
        except (GroupUnavailable, InvalidGroupBackend, ValueError) as error:
            raise CommandError(str(error)) from error
        except BrokenPipeError:  # `| head` has read enough, and the interpreter flushes once more
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    # The commands

    def _list(self, options: dict[str, Any]) -> None:
        wanted = {name: options[name] for name in ("path", "user", "group")}
        if options["watch"]:
            out: Any = self.stdout
            watch(lambda: draw(connections.list(**wanted)), out._out)  # which adds no line ends
            return
        found = connections.list(**wanted)
        if options["json"]:
            rows = [one._asdict() for one in found]
            self._write_json({"connections": rows, "silent": list_silent(found)})
            return
        self.stdout.write("\n".join(draw_connections(found)))
        self._tell_of_others(found, len(found.answered))

    def _close(self, options: dict[str, Any]) -> None:
        names = ("path", "user", "group", "everyone", "code", "reason")
        count = connections.close(
            ids=options["ids"] or None, **{name: options[name] for name in names}
        )
        self.stdout.write(f"{count} closed.")

    def _send(self, options: dict[str, Any]) -> None:
        sending.send(options, self.stderr)

    def _count(self, options: dict[str, Any]) -> None:
        stats = connections.stats()
        for process in [one for one in stats.processes if one.pid == os.getpid()]:
            del stats.processes[process]  # this one, which serves nothing
        if options["json"]:
            each = [
                {"process": process._asdict(), **count(one)}
                for process, one in stats.processes.items()
            ]
            self._write_json({**count(stats), "processes": each, "silent": list_silent(stats)})
            return
        self.stdout.write("\n".join(draw_stats(stats)))
        self._tell_of_others(stats, len(stats.processes) + 1)

    def _write_json(self, found: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(found, indent=2, ensure_ascii=False))

    def _tell_of_others(self, found: Connections | Stats, answered: int) -> None:
        for line in show_silent(found):
            self.stderr.write(line)
        if answered <= 1 and not found.silent:
            self.stderr.write(NOBODY)


def add_filters(parser: ArgumentParser) -> None:
    parser.add_argument("--path", help="with this path; *, ? and […] stand for others")
    parser.add_argument("--user", help="of the user with this name")
    parser.add_argument("--group", help="in the group with this name")


def draw(found: Connections) -> list[str]:
    total = f"{len(found)} WebSockets, {len(found.answered) - 1} processes"
    return [total, *show_silent(found), "", *draw_connections(found)]


def count(stats: Stats) -> dict[str, int]:
    return {name: getattr(stats, name) for name in Stats._fields[:6]}


def list_silent(found: Connections | Stats) -> list[dict[str, Any]]:
    return [process._asdict() for process in found.silent]
