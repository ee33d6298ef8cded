"""A process for each connection, and no more than so many: ``--multiprocess``. And several
processes with handlers, of which each is started anew when it has ended.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence

from django.db import connections

from dwebsocket.backends.gateway.worker import Worker

__all__ = ["Pool", "run_worker", "supervise"]

logger = logging.getLogger("dwebsocket.connection")

#: Processes that wait for a connection.
SPARE = 2

#: Seconds between two looks at what has ended.
LOOK_INTERVAL = 0.1

#: Seconds before a process is started anew that has ended at once.
PAUSE = 1.0

STOPS = (signal.SIGTERM, signal.SIGINT)


def run_worker(worker: Worker, timeout: float, *, once: bool = False, taken: int = -1) -> None:
    """Run handlers in this process until SIGTERM; then have others go on with its connections.

    Args:
        timeout: seconds for the calls that run then.
        once: end with the first connection.
        taken: a descriptor that is closed when there is one.
    """
    stop = threading.Event()

    def end(*args: object) -> None:
        stop.set()
        worker.changed.set()

    for number in STOPS:
        signal.signal(number, end)
    worker.start()
    while not stop.is_set():
        worker.changed.wait()
        worker.changed.clear()
        if worker.had_connection and taken >= 0:
            os.close(taken)
            taken = -1
        if once and worker.had_connection and worker.is_idle:
            break
    worker.leave(timeout)


class Pool:
    """Forks processes, of which each serves one connection.

    Args:
        create: makes what serves it, in the new process.
        most: processes at most.
        timeout: as of ``run_worker``.
    """

    def __init__(self, create: Callable[[], Worker], most: int, timeout: float) -> None:
        self._create = create
        self._most = most
        self._timeout = timeout
        self._children: dict[int, int] = {}  # each with a pipe, -1 once it has a connection
        self._stopped = False

    def run(self) -> None:
        """Have some that wait for a connection, until SIGTERM."""
        for number in STOPS:
            signal.signal(number, self._stop)
        while not self._stopped:
            self._bury()
            spare = sum(pipe >= 0 for pipe in self._children.values())
            while spare < SPARE and len(self._children) < self._most:
                self._fork()
                spare += 1
            pipes = [pipe for pipe in self._children.values() if pipe >= 0]
            found = select.select(pipes, [], [], LOOK_INTERVAL)[0]
            for pid, pipe in list(self._children.items()):
                if pipe in found:
                    os.close(pipe)
                    self._children[pid] = -1
        for pid in self._children:
            os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + self._timeout + 5
        while self._children and time.monotonic() < until:
            self._bury()
            time.sleep(LOOK_INTERVAL / 10)
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)

    def _stop(self, *args: object) -> None:
        self._stopped = True

    def _bury(self) -> None:
        """Forget those that have ended."""
        for pid, pipe in list(self._children.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._children[pid]
                if pipe >= 0:
                    os.close(pipe)
                if os.WIFSIGNALED(status):
                    logger.warning(
                        "The process %d of a WebSocket was killed by signal %d",
                        pid,
                        os.WTERMSIG(status),
                    )

    def _fork(self) -> None:
        reading, writing = os.pipe()
        connections.close_all()
        pid = os.fork()
        if pid:
            os.close(writing)
            self._children[pid] = reading
            return
        try:
            os.close(reading)
            for pipe in self._children.values():
                if pipe >= 0:
                    os.close(pipe)
            run_worker(self._create(), self._timeout, once=True, taken=writing)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        sys.stdout.flush()
        os._exit(0)


def supervise(command: Sequence[str], count: int, timeout: float) -> None:
    """Run a command so many times until SIGTERM, and again when one ends. At SIGHUP each is
    replaced: the next one is there before the last one goes.
    """
    stopped, renewed = threading.Event(), threading.Event()
    for number in STOPS:
        signal.signal(number, lambda *args: stopped.set())
    signal.signal(signal.SIGHUP, lambda *args: renewed.set())
    running = [subprocess.Popen(command) for _ in range(count)]
    leaving: list[subprocess.Popen[bytes]] = []
    while not stopped.is_set():
        if renewed.is_set():
            renewed.clear()
            fresh = [subprocess.Popen(command) for _ in range(count)]
            leaving, running = [*leaving, *running], fresh
            time.sleep(PAUSE)  # they introduce themselves; connections wait for them anyway
            for process in leaving:
                process.terminate()
        leaving = [process for process in leaving if process.poll() is None]
        for place, process in enumerate(running):
            if process.poll() is not None and not stopped.wait(PAUSE):
                running[place] = subprocess.Popen(command)
        stopped.wait(LOOK_INTERVAL)
    for process in (*running, *leaving):
        process.terminate()
    until = time.monotonic() + timeout + 5
    for process in (*running, *leaving):
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
