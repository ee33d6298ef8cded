"""Processes that meet in a run directory of the test's own."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ..groups.conftest import make_peer
from ..servers.process import ROOT, wait_until, without_coverage

__all__ = ["MACHINE", "ROOT_ONLY", "make_peer"]

MACHINE = {"BACKEND": "dwebsocket.groups.machine.MachineGroupBackend"}

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


class Process:
    """One process more of the site."""

    def __init__(
        self, directory, *, before=(), module="tests.machine.program", arguments=None, **settings
    ):
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", module, *(arguments or [json.dumps(settings)])],
            cwd=ROOT,
            env={**without_coverage(), "DWEBSOCKET_TEST_RUN_DIR": str(directory)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        assert self.process.stdout.readline() == "ready\n", self.said()

    @property
    def pid(self):
        return self.process.pid

    def begin(self, *command):
        """Ask for something, whose answer `answer()` reads."""
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        assert line, self.said()
        return json.loads(line)

    def do(self, *command):
        self.begin(*command)
        return self.answer()

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        """End in order; the exit code."""
        self.process.stdin.close()
        return self.process.wait(30)

    def said(self):
        # Opened anew: the process writes at the place that the file, which it shares, is at.
        return Path(f"/proc/self/fd/{self._errors.fileno()}").read_text()

    def close(self):
        self.process.kill()
        self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self._errors):
            file.close()


@pytest.fixture
def directory():
    """Where the processes of the test meet, which is not there yet; the path is short."""
    parent = Path(tempfile.mkdtemp(prefix="dw-"))
    parent.chmod(0o755)
    yield parent / "run"
    shutil.rmtree(parent, ignore_errors=True)


@pytest.fixture
def make_process(directory):
    processes = []

    def make(**options):
        processes.append(Process(directory, **options))
        return processes[-1]

    yield make
    for process in processes:
        process.close()


@pytest.fixture
def make(make_peer, directory):
    """A backend of its own in this process."""
    return lambda: make_peer(MACHINE, WEBSOCKET_RUN_DIR=str(directory))


@pytest.fixture
def wait_for_files(directory):
    """Wait until as many processes listen."""

    def wait(count):
        wait_until(
            lambda: len([*directory.glob("*.sock")]) == count, f"{count} processes listen", 20
        )

    return wait
