"""WebSockets beside the packages that Django's users have most: they work, and the log is clean."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import pytest

from ..raw_client import RawClient
from ..servers.process import ROOT, ServerProcess, without_coverage
from ..servers.rows import ROWS
from .settings import APPS, make_settings

# All rows in one process: making the tables takes longer than the tests of a row.
pytestmark = pytest.mark.xdist_group("packages")

NAMES = ("gunicorn-gthread", "gunicorn-gevent", "uvicorn")


@pytest.fixture(scope="session")
def settings(postgresql):
    missing = [app for app in APPS if find_spec(app.partition(".")[0]) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}; pip install --group packages")
    postgresql.execute("CREATE DATABASE packages")
    return make_settings(postgresql.setting("packages"))


@pytest.fixture(scope="session")
def cookie(settings):
    """Of the user ada, who is logged in. The tables exist."""
    session_key = run_module(settings, "tests.project.prepare")
    run_module(settings, "django", "migrate", "--run-syncdb", "--verbosity", "0")
    return f"sessionid={session_key}"


def run_module(settings, *arguments):
    """Run a module under the settings; the last word that it prints."""
    result = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={
            **without_coverage(),
            "DJANGO_SETTINGS_MODULE": "tests.project.settings",
            "DWEBSOCKET_TEST_SETTINGS": json.dumps(settings),
            "PYTHONPATH": str(ROOT),
        },
        stdout=subprocess.PIPE,
        timeout=100,
        check=True,
        text=True,
    )
    return (result.stdout.split() or [None])[-1]


@pytest.fixture(scope="session", params=[row for row in ROWS if row.name in NAMES], ids=NAMES)
def row(request):
    return replace(request.param, covered=False)  # tracing so many packages takes its time


@pytest.fixture(scope="session")
def server(row, settings, cookie):
    process = ServerProcess(row, environment={}, certificates=None, settings=settings)
    yield process
    process.stop()
    assert not process.log.find_faults(), process.log.text()


LOGIN = "dwebsocket.handshake: WebSocket handshake answered with 302: GET /view/"


@pytest.fixture(autouse=True)
def clean_log(server):
    mark = server.log.mark()
    yield
    text = server.log.text(mark)
    faults = [
        *server.log.find_faults(mark),
        *re.findall(f"^(?:CRITICAL|ERROR|WARNING(?! {LOGIN})) .*", text, re.M),
    ]
    assert not faults, "\n".join([*faults, "--- log:", text])


@pytest.fixture
def connect(server, cookie):
    clients = []

    def connect(path=None):
        clients.append(RawClient(server, timeout=30))
        if path is not None:
            clients[-1].open(path, headers={"Cookie": cookie, "User-Agent": "tests"})
        return clients[-1]

    yield connect
    for client in clients:
        client.hang_up()


@pytest.fixture(params=["view", "handler", "coroutine", "coroutines"])
def kind(request, row):
    if request.param.startswith("coroutine") and not row.coroutines:
        pytest.skip("no coroutines here")
    return request.param


def count_notes(postgresql):
    ((count,),) = postgresql.execute("SELECT count(*) FROM packages_note", database="packages")
    return count


def test_a_conversation(connect, kind, postgresql):
    before = count_notes(postgresql)
    clients = [connect(f"/{kind}/") for _ in range(3)]
    for number in range(5):
        for client in clients:
            client.send_text(f"note {number}")
        for client in clients:
            answer = json.loads(client.read_text())
            assert answer["versions"] == 1
            assert answer.get("user", "ada") == "ada"
    for client in clients:
        client.send_close()
        assert client.read_close().close_code == 1000
        assert client.read_to_eof() == b""
    assert count_notes(postgresql) == before + 15


@pytest.mark.parametrize("path", ["/page/", "/view/", "/api/", "/metrics/metrics"])
def test_plain_http(connect, cookie, path):
    client = connect()
    client.send_request(path, websocket=False, headers={"Cookie": cookie})
    assert client.read_response().status == 200


def test_a_refusal(server, connect):
    """By login_required, through everybody's process_response."""
    client = connect()
    client.send_request("/view/")
    assert client.read_response().status == 302
    server.log.wait_for(f"^WARNING {LOGIN}")
