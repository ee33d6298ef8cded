"""What known packages keep for a request is there beside it, by the ready contexts."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import pytest

from ..project.settings import INSTALLED_APPS, MIDDLEWARE
from ..servers.process import ROOT, ServerProcess, without_coverage
from ..servers.rows import FEW
from .conftest import check_and_stop

# All rows in one process: making the tables takes longer than the tests of a row.
pytestmark = [
    pytest.mark.rows(name=[*FEW, "eventlet", "gunicorn-gthread-tls"]),
    pytest.mark.xdist_group("known packages"),
]

APPS = ["auditlog", "easyaudit", "pgtrigger", "pghistory", "simple_history"]
PACKAGES = [
    "log_request_id.middleware.RequestIDMiddleware",
    "auditlog.middleware.AuditlogMiddleware",
    "crum.CurrentRequestUserMiddleware",
    "django_middleware_global_request.middleware.GlobalRequestMiddleware",
    "easyaudit.middleware.easyaudit.EasyAuditMiddleware",
    "pghistory.middleware.HistoryMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "tests.project.packages.OwnMultitenantMiddleware",
    "threadlocals.middleware.ThreadLocalMiddleware",
]
if find_spec("django_currentuser"):
    PACKAGES.append("django_currentuser.middleware.ThreadLocalUserMiddleware")

CONTEXTS = ["dwebsocket.contexts." + name for name in ("request_id", "current_request", "tenant")]
SETTINGS = {
    "INSTALLED_APPS": [*INSTALLED_APPS, *APPS],
    "MIDDLEWARE": [*MIDDLEWARE, *PACKAGES],
    "ROOT_URLCONF": "tests.project.packages",
    "DJANGO_EASY_AUDIT_WATCH_REQUEST_EVENTS": False,
}
#: One keeps its request, the other does not.
HANDLERS = ["/packages/handler/", "/packages/forgetting/"]


@pytest.fixture(scope="session")
def settings(postgresql):
    postgresql.execute("CREATE DATABASE known_packages")
    return {**SETTINGS, "DATABASES": {"default": postgresql.setting("known_packages")}}


@pytest.fixture(scope="session")
def ada(settings):
    """The tables exist, and ada is logged in with this session."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.project.prepare"],
        cwd=ROOT,
        env={
            **without_coverage(),
            "DWEBSOCKET_TEST_SETTINGS": json.dumps(settings),
            "DJANGO_SETTINGS_MODULE": "tests.project.settings",
            "PYTHONPATH": str(ROOT),
        },
        stdout=subprocess.PIPE,
        timeout=120,
        check=True,
        text=True,
    )
    return {"Cookie": f"sessionid={result.stdout.split()[-1]}"}


@pytest.fixture(scope="session")
def packages_server(row, server_environment, certificates, settings, ada, journal):
    if row.missing:
        pytest.skip(f"{row.missing} is not installed")
    process = ServerProcess(
        replace(row, covered=False),  # tracing so many packages takes its time
        environment=server_environment,
        certificates=certificates,
        settings={**settings, "WEBSOCKET_CONTEXTS": CONTEXTS},
    )
    yield process
    check_and_stop(process, journal)


@pytest.fixture
def server(packages_server):
    return packages_server


def ask(client):
    client.send_text("who am I?")
    return json.loads(client.read_text())


def end(client):
    client.send_close(1000)
    client.read_close()
    client.read_to_eof()


def check(open_websocket, ada, path):
    one, other = open_websocket(path, headers=ada), open_websocket(path)
    ids = set()
    for _ in range(3):
        facts, others = ask(one), ask(other)
        ids |= {("ada", facts.pop("log_request_id")), ("nobody", others.pop("log_request_id"))}
        assert facts.pop("pghistory") == others.pop("pghistory") == path
        assert facts.pop("auditlog").split()[0] == "ada"
        assert "ada" not in others.pop("auditlog")
        assert set(facts.values()) == {"ada"}, facts
        assert set(others.values()) <= {"", "AnonymousUser"}, others
    assert len(ids) == 2
    assert all(found for _, found in ids)
    end(one)
    end(other)


@pytest.mark.parametrize("path", HANDLERS)
def test_handlers(server, open_websocket, ada, path):
    check(open_websocket, ada, path)


@pytest.mark.rows(coroutines=True)
def test_async_handlers(server, open_websocket, ada):
    check(open_websocket, ada, "/packages/async-handler/")


@pytest.mark.rows(coroutines=True)
def test_async_views(server, open_websocket, ada):
    check(open_websocket, ada, "/packages/async-view/")
