"""Serve the example project as a person would: each server by its own command line."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from .process import ROOT, find_free_port, without_coverage

EXAMPLES = ROOT / "examples"
START = 60  # seconds, on a busy machine
STOP = 20  # seconds

COMMANDS = {
    "runserver": ["manage.py", "runserver", "--noreload", "{host}:{port}"],
    "gevent": ["run_gevent.py", "-b", "{host}:{port}"],
    "eventlet": ["run_eventlet.py", "-b", "{host}:{port}"],
    "four processes": [
        *("-m", "gunicorn", "--no-control-socket", "-k", "gthread", "--threads", "8", "-w", "4"),
        *("-b", "{host}:{port}", "demo.wsgi"),
    ],
    "two processes and Redis": ["run_with_redis.py", "-b", "{host}:{port}"],
    "gunicorn-gthread": [
        *("-m", "gunicorn", "--no-control-socket", "-k", "gthread", "--threads", "4"),
        *("-b", "{host}:{port}", "demo.wsgi"),
    ],
    "uvicorn": ["-m", "uvicorn", "--host", "{host}", "--port", "{port}", "demo.asgi:application"],
    "daphne": ["-m", "daphne", "-b", "{host}", "-p", "{port}", "demo.asgi:application"],
}


def manage(database, *arguments):
    """Run manage.py of the examples; a failure of it is an error."""
    subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=EXAMPLES,
        env={**os.environ, "DEMO_DATABASE": str(database)},
        stdin=subprocess.DEVNULL,
        timeout=START,
        check=True,
    )


class ExampleServer:
    """A server that can be stopped and started again on the same port.

    `database` has the tables and is copied; `directory` is for what this server writes.
    """

    folder = EXAMPLES

    def __init__(self, name, directory, database):
        self.host, self.port = "127.0.0.1", find_free_port()
        self.url = f"http://{self.host}:{self.port}"
        # Where its processes meet, and those of no other test. The path is short, as it must be.
        self._meeting = tempfile.TemporaryDirectory(prefix="dw-")
        self.environment = {
            **without_coverage(),
            "TMPDIR": self._meeting.name,
            "PYTHONUNBUFFERED": "1",
            "DEMO_DATABASE": shutil.copy(database, directory),
        }
        self.log_path = directory / "log"
        self.command = [
            sys.executable,
            *(word.format(host=self.host, port=self.port) for word in COMMANDS[name]),
        ]
        self.process = None

    def start(self):
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START
        while not self.accepts_connections():
            assert not self.has_ended(within=0.05), f"The server ended:\n{self.log()}"
            assert time.monotonic() < deadline, f"Not up in {START} s:\n{self.log()}"

    def accepts_connections(self):
        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def has_ended(self, within):
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self):
        """As `kill` or a deployment would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        if not self.has_ended(within=STOP):
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"SIGTERM did not end it in {STOP} s:\n{self.log()}")

    def stop_for_good(self):
        """The end of a test: nothing has gone wrong meanwhile."""
        self.stop()
        assert "Traceback" not in self.log(), self.log()

    def log(self):
        return self.log_path.read_text(errors="replace")
