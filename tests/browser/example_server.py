"""Serve the example project as a person would: each server by its own command line."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TIMEOUT = 20  # seconds, to start and to stop

COMMANDS = {
    "runserver": ["manage.py", "runserver", "--noreload", "{address}"],
    "gevent": ["run_gevent.py", "-b", "{address}"],
    "eventlet": ["run_eventlet.py", "-b", "{address}"],
    "two processes and Redis": ["run_with_redis.py", "-b", "{address}"],
    "gunicorn-gthread": [
        *("-m", "gunicorn", "--no-control-socket", "-k", "gthread", "--threads", "4"),
        *("-b", "{address}", "demo.wsgi"),
    ],
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ExampleServer:
    """A server that can be stopped and started again on the same port."""

    def __init__(self, name, log_path):
        self.environment = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "DEMO_DATABASE": str(log_path.with_suffix(".sqlite3")),
        }
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = log_path
        address = f"127.0.0.1:{self.port}"
        self.command = [
            sys.executable,
            *(word.format(address=address) for word in COMMANDS[name]),
        ]
        self.process = None

    def migrate(self):
        """Make the tables, as the README says."""
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=EXAMPLES,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=True,
        )

    def start(self):
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=EXAMPLES,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + TIMEOUT
        while not self.accepts_connections():
            assert not self.has_ended(within=0.05), f"The server ended:\n{self.log()}"
            assert time.monotonic() < deadline, f"Not up in {TIMEOUT} s:\n{self.log()}"

    def accepts_connections(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
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
        if not self.has_ended(within=TIMEOUT):
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"SIGTERM did not end it in {TIMEOUT} s:\n{self.log()}")

    def log(self):
        return self.log_path.read_text(errors="replace")
