"""The command, run as a user does, and what it is to look at."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from itertools import count

import pytest

from ..servers.nginx import Nginx
from ..servers.process import ROOT
from ..servers.rows import ROWS

#: Of the server behind nginx, and of the doctor beside it.
SETTINGS = {
    "ALLOWED_HOSTS": ["localhost", "127.0.0.1"],
    "SECURE_PROXY_SSL_HEADER": ["HTTP_X_FORWARDED_PROTO", "https"],
    "WEBSOCKET_MAX_MESSAGE_SIZE": 100_000,
}

numbers = count(1)


@dataclass(frozen=True)
class Report:
    """What the doctor found; `status` is that of its process."""

    status: int
    findings: list[dict]

    def marked(self, mark):
        """Step, text and advice of all findings with this mark, each as one text."""
        return [
            f"{one['step']}: {one['text']} {one['advice']}"
            for one in self.findings
            if one["mark"] == mark
        ]

    @property
    def fault(self):
        """The only one."""
        assert self.status == 1
        (fault,) = self.marked("fault")
        return fault

    def step(self, name):
        return [one for one in self.findings if one["step"] == name]

    def check_well(self):
        assert self.marked("fault") == []
        assert self.marked("warning") == []
        assert self.status == 0


@pytest.fixture
def run_doctor(tmp_path, certificates):
    """Run it with these arguments; `settings` are changed, words may stand `before` the command."""

    def run(*arguments, settings=SETTINGS, trusted=True, before=(), **variables):
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.project.settings",
            "DWEBSOCKET_TEST_SETTINGS": json.dumps(settings),
            "PYTHONPATH": str(ROOT),
            **variables,
        }
        if trusted:
            environment["SSL_CERT_FILE"] = str(certificates.authority)
        return subprocess.run(
            [*before, sys.executable, "-m", "django", "websocket_doctor", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
        )

    return run


@pytest.fixture
def examine(run_doctor):
    """The doctor's report."""

    def examine(*arguments, **options):
        result = run_doctor(*arguments, "--json", **options)
        assert result.stdout, result.stderr
        return Report(result.returncode, json.loads(result.stdout))

    return examine


def row(name):
    (found,) = [one for one in ROWS if one.name == name]
    return found


@pytest.fixture(scope="session")
def start_server(start_server):
    """Coverage is measured in the doctor, not in what it looks at."""
    return partial(start_server, measured=False)


@pytest.fixture(scope="module")
def server(start_server):
    """gunicorn, as it should be."""
    process = start_server(row("gunicorn-gthread"), SETTINGS)
    yield process
    process.stop()


@pytest.fixture
def start_nginx(server, tmp_path, certificates):
    """Start nginx in front of it; the port. Lines are changed by name, '' leaves one out."""
    started = []

    def start(upstream=server, certificates=certificates, **changes):
        directory = tmp_path / f"nginx-{next(numbers)}"
        started.append(Nginx(directory, [upstream.port], certificates, changes))
        return started[-1].port

    yield start
    for nginx in started:
        nginx.stop()


@pytest.fixture
def echo(start_nginx):
    """The address through nginx, whose lines may be changed."""
    return lambda path="/echo/", **changes: f"wss://localhost:{start_nginx(**changes)}{path}"
