"""``manage.py run_wsserver``: the gateway. Without options its front, and handlers that are loaded
anew when their code changes, as runserver does it, while every connection stays open.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import re
import signal
import subprocess
import sys
from argparse import ArgumentParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.utils import autoreload

from dwebsocket.backends.gateway.addresses import (
    Addresses,
    find_addresses,
    load_zmq,
    make_keys,
)
from dwebsocket.backends.gateway.requests import check_handlers, find_handlers
from dwebsocket.backends.gateway.worker import Worker
from dwebsocket.backends.sockets.sweeper import expect_restart
from dwebsocket.exceptions import InvalidGroupBackend
from dwebsocket.gateway.processes import Pool, run_worker, supervise

__all__ = ["Command"]

ADDRESS = re.compile(r"(?:(?P<address>\[[0-9a-fA-F:]+\]|[^:]+):)?(?P<port>\d{1,5})")

#: Where WebSockets are if DEFAULT_WS_HANDLERS says who serves them, as django-ws has it.
DEFAULT_URL = "/socket"


class Command(BaseCommand):
    """Runs the front, handlers, or both."""

    help = "Holds WebSockets in one process, and runs their handlers in others (django-ws)."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "addrport", nargs="?", default="8888", help="port, or ipaddr:port (default 8888)"
        )
        parser.add_argument(
            "--push-socket", help="ZeroMQ address on which the front sends to handlers"
        )
        parser.add_argument(
            "--sub-socket", help="ZeroMQ address on which handlers send to the front"
        )
        parser.add_argument(
            "--websocket-url",
            dest="ws_url",
            help="regular expression for the paths of WebSockets; its group 'namespace' names a "
            "handler of DEFAULT_WS_HANDLERS",
        )
        way = parser.add_mutually_exclusive_group()
        way.add_argument("--threaded", action="store_true", help="a thread for each connection")
        way.add_argument(
            "--gevent", "--greenlets", action="store_true", help="a greenlet for each connection"
        )
        way.add_argument(
            "--multiprocess", action="store_true", help="a process for each connection"
        )
        part = parser.add_mutually_exclusive_group()
        part.add_argument("--front", action="store_true", help="the front alone")
        part.add_argument("--handlers", type=int, metavar="N", help="N processes with handlers")
        part.add_argument("--make-keys", metavar="DIR", help="make keys for tcp:// addresses")
        parser.add_argument("--keys", metavar="DIR", help="keys for tcp:// addresses")
        parser.add_argument("--wait", type=float, default=10.0, help="seconds for a handshake")
        parser.add_argument(
            "--grace", type=float, default=60.0, help="seconds for an open connection"
        )
        parser.add_argument(
            "--stop-timeout", type=float, default=10.0, help="seconds for calls when handlers end"
        )
        parser.add_argument(
            "--max-processes", type=int, default=50, help="of --multiprocess (default 50)"
        )
        parser.add_argument(
            "--noreload", action="store_true", help="do not load handlers anew when code changes"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["make_keys"] is not None:
            self._make_keys(Path(options["make_keys"]))
            return
        try:
            load_zmq(green=options["gevent"])
            addresses = find_addresses(
                options["push_socket"], options["sub_socket"], options["keys"]
            )
            if options["front"]:
                self._run_front(addresses, options)
            elif options["handlers"] is not None:
                self._run_handlers(addresses, options)
            else:
                self._run_both(addresses, options)
        except (ImproperlyConfigured, InvalidGroupBackend) as error:
            raise CommandError(str(error)) from error

    def _make_keys(self, directory: Path) -> None:
        try:
            load_zmq()
            make_keys(directory)
        except (ImproperlyConfigured, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"The keys are in {directory}. Give both sides --keys {directory}")

    # The front

    def _run_front(self, addresses: Addresses, options: dict[str, Any]) -> None:
        if find_spec("tornado") is None:
            raise CommandError(
                "the front needs tornado: run `python -m pip install 'dwebsocket[gateway]'`"
            )
        from dwebsocket.gateway.hub import Hub
        from dwebsocket.gateway.server import Front

        address, port = self._read_address(options["addrport"])
        url = options["ws_url"]
        if url is None and find_handlers():
            url = DEFAULT_URL
        try:
            re.compile(url or "")
        except re.error as error:
            raise CommandError(f"--websocket-url is {url!r}: {error}") from error
        expect_restart()
        front = Front(Hub(addresses, options["wait"], options["grace"]), url)
        try:
            port = front.bind(address, port)
        except OSError as error:
            raise CommandError(f"the front cannot listen at {address}:{port}: {error}") from error
        self.stdout.write(f"WebSockets: running on http://{address}:{port}")
        self.stdout.flush()
        asyncio.run(front.serve())

    def _read_address(self, given: str) -> tuple[str, int]:
        match = ADDRESS.fullmatch(given)
        if match is None or int(match["port"]) > 65535:
            raise CommandError(f"{given!r} is no port, and no address and port: 127.0.0.1:8888 is")
        return (match["address"] or "127.0.0.1").strip("[]"), int(match["port"])

    # Handlers

    def _run_handlers(self, addresses: Addresses, options: dict[str, Any]) -> None:
        count, timeout = options["handlers"], options["stop_timeout"]
        if count < 1:
            raise CommandError(f"--handlers is {count}, it must be at least 1")
        check_handlers()
        if options["multiprocess"]:
            self._check_many(options)
            Pool(
                lambda: Worker(addresses, capacity=1, own_threads=True),
                options["max_processes"],
                timeout,
            ).run()
        elif count > 1:
            supervise([*own_command(), "--handlers", "1"], count, timeout)
        else:
            patch_first(gevent=options["gevent"])
            run_worker(self._create_worker(addresses, options), timeout)

    def _check_many(self, options: dict[str, Any]) -> None:
        if options["max_processes"] < 1:
            raise CommandError(
                f"--max-processes is {options['max_processes']}, it must be at least 1"
            )

    def _create_worker(self, addresses: Addresses, options: dict[str, Any]) -> Worker:
        return Worker(
            addresses,
            own_threads=options["threaded"] or options["gevent"],
            has_greenlets=options["gevent"],
        )

    # Both

    def _run_both(self, addresses: Addresses, options: dict[str, Any]) -> None:
        reloads = not options["noreload"] and not options["multiprocess"]
        if os.environ.get(autoreload.DJANGO_AUTORELOAD_ENV) == "true":
            autoreload.run_with_reloader(self._run_reloaded, addresses, options)
            return
        check_handlers()
        front = subprocess.Popen([*own_command(), "--front"])
        atexit.register(end_process, front)
        signal.signal(signal.SIGTERM, lambda *args: sys.exit(0))
        if reloads and not options["gevent"]:
            autoreload.run_with_reloader(self._run_reloaded, addresses, options)
        else:
            supervise([*own_command(), "--handlers", "1"], 1, options["stop_timeout"])

    def _run_reloaded(self, addresses: Addresses, options: dict[str, Any]) -> None:
        """Run handlers in a thread of the process that the reloader starts anew."""
        check_handlers()
        autoreload.raise_last_exception()
        worker = self._create_worker(addresses, options)
        atexit.register(worker.leave, options["stop_timeout"])
        worker.start()
        while True:
            worker.changed.wait()
            worker.changed.clear()


def own_command() -> list[str]:
    """This command as it was given, to be run by another process."""
    return autoreload.get_child_arguments()


def patch_first(*, gevent: bool) -> None:
    """Start this process again, with gevent in the place of threads from its beginning."""
    if not gevent:
        return
    try:
        from gevent import monkey
    except ImportError as error:
        raise CommandError(f"--gevent needs gevent: {error}") from error
    if not monkey.is_module_patched("threading"):
        os.execv(sys.executable, [sys.executable, "-m", "gevent.monkey", *script()])


def script() -> list[str]:
    """The script that runs, and what it was given."""
    return sys.argv


def end_process(process: subprocess.Popen[bytes]) -> None:
    """End it, and wait for that."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
