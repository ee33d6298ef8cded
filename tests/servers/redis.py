"""A redis-server of our own, on a Unix socket in a directory of the test."""

import shutil
import signal
import socket
import subprocess
from contextlib import contextmanager
from itertools import count

import pytest

from .process import freeze, wait_until

BACKEND = "dwebsocket.groups.redis.RedisGroupBackend"

numbers = count(1)


class RedisServer:
    """It can be killed and started again; it keeps nothing unless it is told to."""

    def __init__(self, directory, *arguments, password=None, configuration=""):
        if shutil.which("redis-server") is None:
            pytest.skip("redis-server is not installed")
        directory.mkdir(exist_ok=True)
        self._directory = directory
        self._file = directory / "configuration"
        self._file.write_text(configuration)
        self._arguments = (*arguments, *(("--requirepass", password) if password else ()))
        self._password = password
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
                    *("redis-server", self._file, "--port", "0", "--unixsocket", self.path),
                    *("--save", "", "--appendonly", "no", "--dir", self._directory),
                    *self._arguments,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, "redis-server listens", timeout=30)

    def _answers(self):
        assert self._process.poll() is None, (self._directory / "log").read_text()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            try:
                sock.connect(str(self.path))
                sock.sendall(b"PING\r\n")
                return bool(sock.recv(100))  # that it is loading, or wants a password, perhaps
            except (FileNotFoundError, ConnectionRefusedError):
                return False

    def command(self, *words):
        """What redis-cli would do."""
        import redis

        with redis.Redis(
            unix_socket_path=str(self.path), password=self._password, decode_responses=True
        ) as client:
            return client.execute_command(*words)

    def kill(self):
        """As the power does."""
        if self._process is not None:
            self._process.kill()  # one that is paused, too
            self._process.wait(10)
            self.path.unlink(missing_ok=True)

    def pause(self):
        """It takes connections and data, and answers nothing."""
        freeze(self._process.pid)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)


def tls_arguments(certificates, port):
    return (
        *("--tls-port", str(port), "--tls-auth-clients", "no"),
        *("--tls-cert-file", certificates.certificate, "--tls-key-file", certificates.key),
    )


@contextmanager
def redis_servers(directory):
    """Make a redis-server; all are killed at the end."""
    servers = []

    def make(*arguments, **options):
        servers.append(RedisServer(directory / f"redis-{next(numbers)}", *arguments, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.kill()
