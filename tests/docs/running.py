"""A server started by a command line of the documentation, found by the port it listens on."""

import os
import shlex
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from ..servers.log import TRACEBACK
from ..servers.process import wait_until
from .projects import environment

TIMEOUT = 20  # seconds, to stop
START = 60  # seconds, on a busy machine
LISTENING = "0A"  # of /proc/net/tcp


class RunningServer:
    """Runs a command that does not end by itself, in a session of its own."""

    def __init__(self, command, directory, port=None, may_log=(), env=None):
        self.command = command
        self.port = port  # of a server that listens on several
        self._listeners = None
        # Errors that are no fault; Django's words for a Host that is not in ALLOWED_HOSTS.
        self._may_log = ["DisallowedHost", *may_log]
        if command.startswith("hypercorn"):  # says so of each connection that it cuts
            self._may_log.append("asyncio.exceptions.CancelledError")
        self._log = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            shlex.split(command),
            cwd=directory,
            env=env or environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def __enter__(self):
        try:
            # Each look goes through all sockets there are, and a server takes half a second.
            wait_until(self._listens, f"{self.command} listens", timeout=START, pause=0.04)
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}; its log:\n{self.log}") from None
        if self.port is None:
            (self.port,) = self.find_ports()
        return self

    def _listens(self):
        # Whose each is takes long to find out: not before there is a new one.
        known, self._listeners = self._listeners, set(list_listeners())
        if known == self._listeners:
            assert self._process.poll() is None, f"{self.command} has ended; its log:\n{self.log}"
            return False
        ports = self.find_ports()
        return ports if self.port is None else self.port in ports

    def __exit__(self, failure, *exc_info):
        self.kill()
        if failure is not None:
            print(f"--- log of {self.command}:\n{self.log}")  # shown with the failure
        for match in TRACEBACK.finditer(self.log):
            assert any(words in match[1] for words in self._may_log), self.log

    @property
    def log(self):
        # Not by seek() and read(): the server writes at the same position in the file.
        fd = self._log.fileno()
        return os.pread(fd, os.fstat(fd).st_size, 0).decode(errors="replace")

    def find_ports(self):
        """The TCP ports on which a process of the session listens."""
        assert self._process.poll() is None, f"{self.command} has ended; its log:\n{self.log}"
        sockets = {inode for pid in list_session(self._process.pid) for inode in list_sockets(pid)}
        return {port for inode, port in list_listeners() if inode in sockets}

    @property
    def pid(self):
        return self._process.pid

    def signal(self, number):
        self._process.send_signal(number)

    def terminate(self):
        self.signal(signal.SIGTERM)

    def wait(self, timeout=TIMEOUT):
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"SIGTERM did not end {self.command}:\n{self.log}") from None

    def kill(self):
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(TIMEOUT)


def list_session(session):
    """The processes of a session."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # Behind the name in parentheses: state, parent, group, session.
            if int(entry.read_text().rpartition(")")[2].split()[3]) == session:
                yield entry.parent.name


def list_sockets(pid):
    """The inodes of a process's sockets."""
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                kind, _, inode = os.readlink(entry).partition(":")  # noqa: PTH115
                if kind == "socket":
                    yield inode.strip("[]")


def list_listeners():
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with Path(table).open() as lines:
            next(lines)  # the header
            for fields in map(str.split, lines):
                # Those that listen come first (proc_net_tcp.txt of the kernel); behind them may be
                # thousands of connections that have just ended, of which each costs time.
                if fields[3] != LISTENING:
                    break
                yield fields[9], int(fields[1].rpartition(":")[2], 16)
