"""One server process: started on a free port, watched, and stopped by SIGTERM."""

import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path

from .log import ServerLog

ROOT = Path(__file__).resolve().parents[2]
LISTENING = (
    r"(?:LISTENING |(?:Listening at:|server at|[Rr]unning on) https?://127\.0\.0\.1:"
    r"|Listening on TCP address 127\.0\.0\.1:)(\d+)"
)

#: Lower than those the system gives to connections: none of them takes one before its server does,
#: or while that is away.
PORTS = range(20_000, 32_768)
#: Each process has an order of its own; the seed of a run is the same for all of them.
candidates = cycle(random.SystemRandom().sample(PORTS, len(PORTS)))


def choose_coverage(row):
    """The environment of the row's process: coverage is measured its way, or not at all."""
    measured = "COVERAGE_PROCESS_CONFIG" in os.environ
    if measured and row.covered and row.coroutines:
        return os.environ
    found = without_coverage()
    if measured and row.covered:
        found["COVERAGE_PROCESS_START"] = str(Path(__file__).with_name("greenlets.toml"))
    return found


def without_coverage():
    """The environment of processes in which coverage is not measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


class ServerProcess:
    """A running server. `settings` are changed in this process alone, which may open so many
    `descriptors`.
    """

    def __init__(self, row, *, environment, certificates, settings=None, descriptors=None):
        self.row = row
        self.host = "127.0.0.1"
        self.client_context: ssl.SSLContext | None = None
        arguments = [argument.format(port=find_free_port()) for argument in row.arguments]
        if row.tls:
            self.client_context = certificates.client_context
            files = {"certificate": certificates.certificate, "key": certificates.key}
            arguments += [argument.format(**files) for argument in row.tls_arguments]
        #: Where its processes, and no others, meet.
        self.run_directory = Path(tempfile.mkdtemp(prefix="dw-"))
        limits = ("prlimit", f"--nofile={descriptors}") if descriptors else ()
        self._process = subprocess.Popen(
            [*limits, sys.executable, *arguments],
            cwd=ROOT,
            env={
                **choose_coverage(row),
                **environment,
                "DWEBSOCKET_TEST_RUN_DIR": str(self.run_directory),
                "DJANGO_SETTINGS_MODULE": "tests.project.settings",
                "DWEBSOCKET_TEST_SETTINGS": json.dumps({**dict(row.settings), **(settings or {})}),
                "PYTHONPATH": str(ROOT),
                "PYTHONUNBUFFERED": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pipesize=1 << 18,  # no line is torn by another while we do not read
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self.log = ServerLog(self._process.stdout)
        try:
            self.port = int(self.log.wait_for(LISTENING, timeout=60)[1])
            if "{port}" in row.arguments:  # such a server speaks before it listens
                wait_until(self._answers, f"{row.name} listens", timeout=60)
        except AssertionError:
            self.kill()
            raise

    def _answers(self):
        with suppress(ConnectionRefusedError), socket.create_connection((self.host, self.port), 5):
            return True
        return False

    @property
    def pid(self):
        return self._process.pid

    def terminate(self):
        self.signal(signal.SIGTERM)

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self, timeout):
        """The exit status; subprocess.TimeoutExpired when the server goes on."""
        return self._process.wait(timeout)

    def kill(self):
        """End the server and all its workers at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        shutil.rmtree(self.run_directory, ignore_errors=True)

    def stop(self, timeout=15.0):
        """End the server as an administrator does; a server that hangs is an error."""
        self.terminate()
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.row.name} runs {timeout} s after SIGTERM; its log:\n{self.log.text()}"
            ) from None
        finally:
            self.kill()
            self.log.join()


def find_free_port():
    """For a server that cannot say which port it got from `--port 0`."""
    for port in islice(candidates, len(PORTS)):
        with suppress(OSError), socket.socket() as sock:
            sock.bind(("", port))
            return port
    raise AssertionError(f"no port of {PORTS} is free")


def count_descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208


def wait_until_joined(server, pid):
    """A process hears the others of its site from its first WebSocket on, as soon as a thread has
    seen to that, and keeps the descriptors for it.
    """
    names = f"{pid}.*.sock"
    wait_until(lambda: any(server.run_directory.glob(names)), "it listens for others", 30)


def freeze(pid):
    """Stop a process until SIGCONT, and wait until none of its threads runs any more."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: set(find_states(pid)) <= {"T", "t"}, "it stands still", 30)


def find_states(pid):
    """Of each of its threads, a letter that says what it does: proc(5)."""
    for path in Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            found = path.read_text()
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
        yield found.rpartition(")")[2].split()[0]


def list_children(pid):
    """The processes that a process has begun."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def count_open(pid, path):
    """How often a process has a file open."""
    count = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += entry.readlink() == Path(path)
        except FileNotFoundError:  # closed meanwhile
            continue
    return count


def processor_time(pid):
    """Seconds that a process has worked, in all its threads, those that have ended, too."""
    clock = ~pid << 3 | 2  # clock_getcpuclockid(3), which Python does not offer
    return time.clock_gettime(clock)


def wait_for_descriptors(pid, count, timeout=10.0):
    """Wait until a process has no more than so many descriptors."""
    try:
        wait_until(lambda: count_descriptors(pid) <= count, f"{count} descriptors", timeout)
    except AssertionError as error:
        found = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]  # noqa: PTH115
        raise AssertionError(f"{error}, but {found}") from None


def wait_until(condition, what, timeout=10.0, pause=0.01):
    """Ask the kernel again and again, for there is nothing in /proc to wait on."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(pause)
