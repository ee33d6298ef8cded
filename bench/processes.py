"""Server processes: started on their own processor, stopped without ceremony."""

import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import certificate
from bench.servers import Server

START_TIMEOUT = 20  # seconds


class StartError(Exception):
    """A server that did not come up, with the end of what it said."""


def choose_cpus() -> tuple[int, int] | None:
    """A processor for the server and one for the load, on different cores. None: there is one."""
    if shutil.which("taskset") is None:
        return None
    by_core = {_core(cpu): cpu for cpu in sorted(os.sched_getaffinity(0))}
    if len(by_core) < 2:
        return None
    load, *_, server = sorted(by_core.values())
    return server, load


def _core(cpu: int) -> tuple[str, ...]:
    topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
    try:
        return tuple((topology / f).read_text() for f in ("physical_package_id", "core_id"))
    except OSError:
        return (str(cpu),)


def pinned(command: list[str], cpu: int | None) -> list[str]:
    return command if cpu is None else ["taskset", "-c", str(cpu), *command]


class Process:
    """A running echo server. A context manager: the process is gone when the block is left."""

    def __init__(self, kind: Server, cpus: tuple[int, int] | None):
        self.kind = kind
        self.server_cpu, self.load_cpu = cpus or (None, None)

    def __enter__(self) -> "Process":
        self._errors = tempfile.TemporaryFile()
        command = [sys.executable, "-m", f"bench.servers.{self.kind.module or self.kind.name}"]
        tls = certificate.environment() if self.kind.tls else {}
        self._popen = subprocess.Popen(
            pinned(command, self.server_cpu),
            env=os.environ | dict(self.kind.environment) | tls,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,  # so that a server with several processes ends as one
        )
        try:
            self.port, self.pids = self._announcement()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        # Killed, not asked: a measured server has nothing to save, and a graceful end takes time.
        os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._popen.stdout.close()
        self._errors.close()

    @property
    def pid(self) -> int:
        """Of the server's process, or of the first one."""
        return self.pids[0]

    def _announcement(self) -> tuple[int, list[int]]:
        deadline = time.monotonic() + START_TIMEOUT
        with selectors.DefaultSelector() as selector:
            selector.register(self._popen.stdout, selectors.EVENT_READ)
            while selector.select(max(0, deadline - time.monotonic())):
                line = self._popen.stdout.readline()
                if match := re.match(r"listening on port (\d+) in process ([\d,]+)", line):
                    return int(match[1]), [int(pid) for pid in match[2].split(",")]
                if not line:
                    raise StartError(
                        f"it ended while starting; its last words: {self.last_words()}"
                    )
        raise StartError(
            f"not listening after {START_TIMEOUT} s; its last words: {self.last_words()}"
        )

    def last_words(self) -> str:
        """The last line on stderr: in a traceback, what went wrong."""
        # Not by seek and read: the server writes at the same offset of the same open file.
        size = os.fstat(self._errors.fileno()).st_size
        end = os.pread(self._errors.fileno(), 4096, max(0, size - 4096)).decode(errors="replace")
        return end.rstrip().rpartition("\n")[2].strip() or "nothing"
