"""A gateway in processes of its own: a front, and handlers that come and go."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import zmq

from tests.servers.log import ServerLog
from tests.servers.process import LISTENING, ROOT, wait_until

from .peer import Peer

SETTINGS = {"ROOT_URLCONF": "tests.gateway.urls", "WEBSOCKET_CLOSE_TIMEOUT": 2}


class Command:
    """A running ``manage.py run_wsserver``."""

    def __init__(self, arguments, environment):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "django", "run_wsserver", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self.log = ServerLog(self.process.stdout)

    @property
    def pid(self):
        return self.process.pid

    def terminate(self):
        self.process.terminate()

    def stop(self, timeout=60):
        """End it as an administrator does; the exit status."""
        self.process.terminate()
        return self.process.wait(timeout)

    def kill(self):
        """End it, and all that it has started, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(10)
        self.log.join()


class Gateway:
    """A front with its handlers, in a run directory of its own."""

    def __init__(self, *options, front=True, settings=None, environment=None):
        self.run_directory = Path(tempfile.mkdtemp(prefix="dw-"))
        self._environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.project.settings",
            "DWEBSOCKET_TEST_SETTINGS": json.dumps({**SETTINGS, **(settings or {})}),
            "DWEBSOCKET_TEST_RUN_DIR": str(self.run_directory),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        }
        self._commands = []
        self._options = options
        self.front, self.port = None, 0
        if front:
            self.start_front()

    def start_front(self, *options, part="--front"):
        """Start the front, or start it again, at its port; no ``part`` is both, with a reloader."""
        parts = [part] if part else []
        self.front = self.run(f"127.0.0.1:{self.port}", *parts, *self._options, *options)
        self.port = int(self.front.log.wait_for(LISTENING, timeout=60)[1])

    def run(self, *arguments):
        """Start the command with these options."""
        command = Command(arguments, self._environment)
        self._commands.append(command)
        return command

    def manage(self, *arguments):
        """What another command of the site prints."""
        command = [sys.executable, "-m", "django", *arguments]
        return subprocess.check_output(command, cwd=ROOT, env=self._environment, text=True)

    def start_handlers(self, *options, wait_for=None):
        """Start a process with handlers; wait until the front knows it."""
        wait_for = self.health()["handlers"] + 1 if wait_for is None else wait_for
        command = self.run("--handlers", "1", *options)
        self.wait_for_handlers(wait_for)
        return command

    def stop_handlers(self):
        """End all of them at once; wait until the front knows."""
        for command in self._commands:
            if command is not self.front:
                command.kill()
        self.wait_for_handlers(0)

    def settle(self):
        """Wait until the front has worked on the last words of processes that have ended."""
        with zmq.Context() as context:
            peer = Peer(self, context)
            peer.wait_until_heard()
            peer.close()

    def wait_for_handlers(self, count):
        wait_until(lambda: self.health()["handlers"] == count, f"{count} with handlers", 60)

    def wait_for_connections(self, count):
        wait_until(lambda: self.health()["connections"] == count, f"{count} connections", 60)

    def health(self):
        """What the front says of itself."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/healthz")
        found = json.loads(connection.getresponse().read())
        connection.close()
        return found

    def url(self, path):
        return f"ws://127.0.0.1:{self.port}{path}"

    def stop(self):
        for command in self._commands:
            command.kill()
        shutil.rmtree(self.run_directory, ignore_errors=True)

    def find_faults(self):
        """What no process should have logged."""
        return [fault for command in self._commands for fault in command.log.find_faults()]


def wait_for_line(command, text, timeout=60):
    """Wait until a process has logged this."""
    deadline = time.monotonic() + timeout
    wait_until(lambda: text in command.log.text(), text, deadline - time.monotonic())
