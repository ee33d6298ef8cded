"""The servers of `bench.deploy`: how each is started, restarted, and when that is done."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.servers.process import count_descriptors, find_free_port, list_children

TIMEOUT = 60  # seconds for anything

GUNICORN = ("gunicorn", "django.core.wsgi:get_wsgi_application()", "--workers", "2")
GUNICORN += ("--log-level", "warning", "--no-control-socket", "--worker-connections", "12000")


@dataclass(frozen=True)
class Deployed:
    """One of them. `arguments` follow `python -m`, {port} is where it listens."""

    name: str
    title: str
    arguments: tuple[str, ...]
    packages: tuple[str, ...]
    #: What is set in its environment.
    environment: tuple[tuple[str, str], ...] = ()
    #: Has it load everything anew; None: it is ended, and started by whoever looks after it.
    reload: signal.Signals | None = signal.SIGHUP
    needs_redis: bool = False


def ours(worker: str, *options: str) -> tuple[str, ...]:
    return (*GUNICORN, "--worker-class", worker, *options, "--bind", "127.0.0.1:{port}")


PACKAGES = ("dwebsocket", "Django", "gunicorn")
DRAIN = (("BENCH_DRAIN_ONLY", "1"),)
CHANNELS = "bench.project.channels_asgi:application"
SERVERS = {
    one.name: one
    for one in (
        Deployed(
            "gthread", "dwebsocket, gunicorn gthread", ours("gthread", "--threads", "4"), PACKAGES
        ),
        Deployed("gevent", "dwebsocket, gunicorn gevent", ours("gevent"), (*PACKAGES, "gevent")),
        Deployed(
            "drain",
            "dwebsocket, gunicorn gthread, drain only",
            ours("gthread", "--threads", "4"),
            PACKAGES,
            DRAIN,
        ),
        Deployed(
            "channels_uvicorn",
            "Channels, uvicorn, Redis",
            ("uvicorn", CHANNELS, "--workers", "2", "--port", "{port}", "--log-level", "critical"),
            ("channels", "Django", "uvicorn", "websockets", "uvloop", "channels-redis"),
            needs_redis=True,
        ),
        Deployed(
            "channels_daphne",
            "Channels, daphne",
            ("daphne", "-v", "0", "-p", "{port}", "--ping-interval", "600", CHANNELS),
            ("channels", "Django", "daphne", "Twisted"),
            reload=None,
        ),
    )
}


class Running:
    """One that runs. A context manager: it is gone when the block is left."""

    def __init__(self, kind: Deployed):
        self.kind = kind
        self.port = find_free_port()
        self._directory = tempfile.TemporaryDirectory(prefix="bench-")
        self._old: set[int] = set()
        self._start()

    def _start(self) -> None:
        arguments = [one.format(port=self.port) for one in self.kind.arguments]
        environment = {
            **os.environ,
            **dict(self.kind.environment),
            "DJANGO_SETTINGS_MODULE": "bench.project.settings",
            "BENCH_CARRIER": "machine",
            "BENCH_RUN_DIR": self._directory.name,
            "BENCH_PREFIX": Path(self._directory.name).name,
        }
        self._popen = subprocess.Popen(
            [sys.executable, "-m", *arguments], env=environment, start_new_session=True
        )

    def __enter__(self) -> "Running":
        wait_until(self._answers, f"{self.kind.title} listens")
        return self

    def __exit__(self, *exception: object) -> None:
        os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._directory.cleanup()

    def _answers(self) -> bool:
        if self._popen.poll() is not None:
            raise SystemExit(f"{self.kind.title} has ended")
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
                sock.sendall(b"GET /plain/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                return sock.recv(12).startswith(b"HTTP/1.1 ")
        except OSError:
            return False

    @property
    def workers(self) -> set[int]:
        """The processes that serve: without that which Python starts for ``multiprocessing``."""
        children = {pid for pid in list_children(self._popen.pid) if not is_tracker(pid)}
        return children or {self._popen.pid}

    def restart(self) -> None:
        """Have a new version served. Does not wait for that."""
        self._old = self.workers
        if self.kind.reload is not None:
            self._popen.send_signal(self.kind.reload)
        else:
            self._popen.terminate()

    def is_restarted(self) -> bool:
        """Whether all that were there have gone."""
        if self.kind.reload is None and self._popen.poll() is not None:
            self._start()
            self._old = set()
        return not self._old & self.workers

    def measure(self) -> tuple[float, int]:
        """MiB and descriptors of all that serve."""
        pages, descriptors = 0, 0
        for pid in self.workers:
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            descriptors += count_descriptors(pid)
        return pages * os.sysconf("SC_PAGESIZE") / (1 << 20), descriptors


def is_tracker(pid: int) -> bool:
    try:
        return b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return False


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {TIMEOUT} s: {what}")
        time.sleep(0.05)
