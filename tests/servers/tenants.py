"""Serve the example with tenants, whose settings, companies and notes are in examples/tenants."""

import os
import subprocess
import sys
from pathlib import Path

from .examples import EXAMPLES, ExampleServer
from .process import ROOT, find_free_port, without_coverage

FOLDER = EXAMPLES / "tenants"
UWSGI = str(Path(sys.executable).with_name("uwsgi"))
GUNICORN = ("-m", "gunicorn", "--no-control-socket", "-b", "{host}:{port}")

COMMANDS = {
    "gthread": [sys.executable, *GUNICORN, "-k", "gthread", "--threads", "8", "hosting.wsgi"],
    "gevent": [sys.executable, *GUNICORN, "-k", "gevent", "hosting.wsgi"],
    "sync": [sys.executable, *GUNICORN, "hosting.wsgi"],
    "uwsgi-threads": [
        *(UWSGI, "--http", "{host}:{port}", "--http-websockets", "--threads", "8", "--master"),
        *("--die-on-term", "--need-app", "--virtualenv", sys.prefix, "--module", "hosting.wsgi"),
    ],
    "uvicorn": [
        *(sys.executable, "-m", "uvicorn", "--host", "{host}", "--port", "{port}"),
        "hosting.asgi:application",
    ],
}


def make_environment(postgresql, **more):
    """Where its PostgreSQL is, as psql wants to be told."""
    setting = postgresql.setting("tenants")
    names = {"PGHOST": "HOST", "PGUSER": "USER", "PGDATABASE": "NAME"}
    found = {variable: setting[key] for variable, key in names.items()}
    path = os.pathsep.join([str(FOLDER), str(ROOT)])
    return {**without_coverage(), **found, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **more}


def prepare(postgresql):
    """Make the database and what its README has one make."""
    postgresql.execute("CREATE DATABASE tenants")
    for command in (("migrate_schemas", "--shared", "--verbosity", "0"), ("found_companies",)):
        subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=FOLDER,
            env=make_environment(postgresql),
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=True,
        )


class TenantServer(ExampleServer):
    """One server of the example."""

    folder = FOLDER

    def __init__(self, name, directory, environment):
        self.host, self.port = "127.0.0.1", find_free_port()
        self.environment = environment
        self.log_path = directory / "log"
        self.command = [word.format(host=self.host, port=self.port) for word in COMMANDS[name]]
        self.process = None


__all__ = ["COMMANDS", "TenantServer", "make_environment", "prepare"]
