"""A redis-server of our own, on a Unix socket in a directory of the test."""

import shutil
import signal
import socket
import subprocess

import pytest

from .process import wait_until

BACKEND = "dwebsocket.groups.redis.RedisGroupBackend"


class RedisServer:
    """It can be killed and started again; it keeps nothing."""

    def __init__(self, directory, *arguments):
        if shutil.which("redis-server") is None:
            pytest.skip("redis-server is not installed")
        directory.mkdir(exist_ok=True)
        self._directory = directory
        self._arguments = arguments
        self.path = directory / "socket"
        self.location = f"unix://{self.path}"
        self._process = None

    @property
    def setting(self):
        """The value of WEBSOCKET_GROUPS."""
        return {"BACKEND": BACKEND, "LOCATION": self.location}

    def start(self):
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("redis-server", "--port", "0", "--unixsocket", self.path),
                    *("--save", "", "--appendonly", "no", "--dir", self._directory),
                    *self._arguments,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, "redis-server listens", timeout=10)

    def _answers(self):
        assert self._process.poll() is None, (self._directory / "log").read_text()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            try:
                sock.connect(str(self.path))
                sock.sendall(b"PING\r\n")
                return sock.recv(100).startswith(b"+PONG")
            except (FileNotFoundError, ConnectionRefusedError):
                return False

    def kill(self):
        """As the power does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self.path.unlink(missing_ok=True)

    def pause(self):
        """It takes connections and data, and answers nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)
