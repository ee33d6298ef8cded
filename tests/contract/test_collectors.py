"""The Django Debug Toolbar and Silk, which collect the queries of a request until it ends, collect
nothing of a WebSocket, and go on for the requests after it.
"""

import json
import subprocess
import sys

import pytest

from ..project import settings
from ..raw_client import RawClient
from ..servers.process import ROOT, without_coverage
from ..servers.rows import FEW

# All rows in one process: making the tables takes longer than the tests of a row.
pytestmark = [pytest.mark.rows(name=FEW), pytest.mark.xdist_group("collectors")]

COLLECTORS = {
    "toolbar": {
        "DEBUG": True,
        "INTERNAL_IPS": ["127.0.0.1"],
        "INSTALLED_APPS": [
            *settings.INSTALLED_APPS,
            "django.contrib.staticfiles",
            "debug_toolbar",
        ],
        "MIDDLEWARE": ["debug_toolbar.middleware.DebugToolbarMiddleware", *settings.MIDDLEWARE],
        "TEMPLATES": [
            {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}
        ],
    },
    "silk": {
        "INSTALLED_APPS": [*settings.INSTALLED_APPS, "silk"],
        "MIDDLEWARE": ["silk.middleware.SilkyMiddleware", *settings.MIDDLEWARE],
    },
}
MESSAGES = 100
#: Bytes a message; both kept some five thousand. With DEBUG Django itself keeps the last queries of
#: a connection.
KEPT = 2000


@pytest.fixture(scope="session")
def tables(server_environment, session_key):
    """Silk's, the toolbar has none."""
    subprocess.run(
        [sys.executable, "-m", "django", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env={
            **without_coverage(),
            **server_environment,
            "DJANGO_SETTINGS_MODULE": "tests.project.settings",
            "DWEBSOCKET_TEST_SETTINGS": json.dumps(COLLECTORS["silk"]),
        },
        timeout=60,
        check=True,
    )


@pytest.fixture(scope="session", params=COLLECTORS)
def collecting_server(request, row, start_server, tables):
    if row.missing:
        pytest.skip(f"{row.missing} is not installed")
    process = start_server(row, COLLECTORS[request.param], measured=False)
    yield process
    process.stop()
    assert not process.log.find_faults(), process.log.text()


@pytest.mark.parametrize("kind", ["view", "coroutine", "handler"])
def test_nothing_is_kept_of_a_message(collecting_server, row, address, kind):
    if not row.database:
        pytest.skip("queries do not work here")
    if kind == "coroutine" and not row.coroutines:
        pytest.skip("no coroutines here")
    client = RawClient(collecting_server)
    client.open(address(f"/measured/{kind}/"))
    kept = []
    for count in (1, 20, MESSAGES):  # at first much is loaded
        for _ in range(count):
            client.send_text("query")
            assert client.read_text() == "done"
        client.send_text("measure")
        kept.append(int(client.read_text()))
    client.send_close()
    assert client.read_close().close_code == 1000
    client.hang_up()
    assert kept[-1] - kept[-2] < MESSAGES * KEPT
    check_plain(collecting_server, address)


def check_plain(server, address):
    client = RawClient(server)
    client.send_request(address("/plain/"), websocket=False)
    assert client.read_response().status == 200
    client.hang_up()
