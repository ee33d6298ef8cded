"""A PostgreSQL of our own, on a Unix socket in a directory of its own."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from .process import wait_until

#: Debian keeps the server's programs, of which there may be several versions, away from the path.
PROGRAMS = [os.environ["PATH"], *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))[::-1]]

#: Its superuser, for whom no password is asked.
USER = "dwebsocket"

#: The ways to one database that `databases` offers, by alias.
POOL_SIZE = 2
WAYS = {
    "aged": {"CONN_MAX_AGE": 2},
    "lasting": {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True},
    "pooled": {
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"pool": {"min_size": POOL_SIZE, "max_size": POOL_SIZE, "timeout": 30}},
    },
}


def find_program(name):
    path = shutil.which(name, path=os.pathsep.join(PROGRAMS))
    if path is None:
        pytest.skip("postgresql is not installed")
    return path


def unprivileged_account():
    """The account it runs under, for it does not run as root; None: our own."""
    if os.getuid() != 0:
        return None
    with suppress(KeyError):  # Debian's package makes it
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


class PostgresServer:
    """Its databases are empty but for what tests put in there; all of it goes away with `kill`.

    Args:
        max_connections: those that it takes at the same time.
    """

    def __init__(self, max_connections=300):
        self._initdb, self._postgres = find_program("initdb"), find_program("postgres")
        self._account = unprivileged_account()
        self._max_connections = max_connections
        # Beside those of the tests: into these no other account gets.
        self._directory = Path(tempfile.mkdtemp(prefix="dwebsocket-"))
        self._data = self._directory / "data"
        self._process = None

    def start(self):
        if self._account is not None:
            os.chown(self._directory, self._account.pw_uid, self._account.pw_gid)
        making = self._run(
            *(self._initdb, "--pgdata", self._data, "--username", USER, "--auth", "trust"),
            *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
        )
        assert making.wait(60) == 0, self._log
        self._process = self._run(
            *(self._postgres, "-D", self._data, "-k", self._directory, "-c", "listen_addresses="),
            *("-c", f"max_connections={self._max_connections}", "-c", "fsync=off"),
        )
        wait_until(self._answers, "PostgreSQL listens", timeout=30)

    def _run(self, *command):
        account = self._account
        identity = {}
        if account is not None:
            identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        with (self._directory / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **identity,
            )

    @property
    def _log(self):
        return (self._directory / "log").read_text()

    def _answers(self):
        import psycopg

        assert self._process.poll() is None, self._log
        with suppress(psycopg.OperationalError):
            return self.execute("SELECT 1") == [(1,)]
        return False

    def setting(self, name="postgres", **changes):
        """One entry of DATABASES."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "USER": USER,
            "HOST": str(self._directory),
            **changes,
        }

    def databases(self, name, default):
        """DATABASES for a server: a file of SQLite, and WAYS, whose connections `count_connections`
        knows as "<name>-<alias>".
        """
        found = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(default)}}
        for alias, way in WAYS.items():
            options = {**way.get("OPTIONS", {}), "application_name": f"{name}-{alias}"}
            found[alias] = self.setting(**{**way, "OPTIONS": options})
        return found

    def execute(self, query, parameters=None, *, database="postgres"):
        """What psql would do; the rows, if there are any."""
        import psycopg

        with psycopg.connect(
            host=str(self._directory), user=USER, dbname=database, autocommit=True
        ) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else None

    def count_connections(self, name):
        """How many clients are connected that call themselves so (`application_name`)."""
        ((count,),) = self.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [name]
        )
        return count

    def kill(self):
        """End it, and forget all that it has kept."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
        shutil.rmtree(self._directory)
