"""A wrong setting opens no door: 500 to each handshake, in the words of its system check, which no
server runs. The process goes on, and so does plain HTTP.
"""

import re

import pytest

from ..raw_client import RawClient, build_request
from ..servers.rows import FEW
from .conftest import change_settings

pytestmark = pytest.mark.rows(name=FEW)

EVIL = "https://evil.example"
WRONG = {
    "WEBSOCKET_ALLOWED_ORIGINS": "https://*.example.com",
    "CSRF_TRUSTED_ORIGINS": "https://*.example.com",
    "WEBSOCKET_FACTORY_CLASS": "nowhere.Factory",
    "WEBSOCKET_ACCEPT_ALL": "False",
    "WEBSOCKET_MAX_MESSAGE_SIZE": "1MB",
    "DATA_UPLOAD_MAX_MEMORY_SIZE": "2.5MB",
    "WEBSOCKET_PING_INTERVAL": "1",
    "WEBSOCKET_PING_TIMEOUT": float("nan"),
    "WEBSOCKET_CLOSE_TIMEOUT": "5",
    "WEBSOCKET_SEND_TIMEOUT": float("inf"),
    "WEBSOCKET_MAX_CONNECTIONS": "100",
    "WEBSOCKET_LEGACY": "False",
    "WEBSOCKET_COMPRESSION": "no",
    "WEBSOCKET_COMPRESSION_CONTEXT_TAKEOVER": "no",
    "WEBSOCKET_MAX_SEND_BUFFER": True,
    "WEBSOCKET_VIEW_THREADS": "10",
    "WEBSOCKET_GROUPS": "memory",
    "ROOT_WS_URLCONF": 5,
    "WS_MIDDLEWARE": "mysite.middleware.Auth",
    "WEBSOCKET_CONTEXTS": "dwebsocket.contexts.tenant",
}
PATHS = ["/echo/", "/handler/echo/", "/middleware-first/placing/marked/"]


@pytest.fixture(scope="session")
def wrong_server(row, start_server):
    """It starts with a wrong setting, as a site does."""
    if row.missing:
        pytest.skip(f"{row.missing} is not installed")
    process = start_server(row, {"WEBSOCKET_ALLOWED_ORIGINS": WRONG["WEBSOCKET_ALLOWED_ORIGINS"]})
    yield process
    # Not in between: threads that look after an open connection read settings, which change in no
    # real process.
    change_settings(process, WEBSOCKET_ALLOWED_ORIGINS=None)
    check_echo(process)
    process.stop()
    told = re.compile(r"^\S*(ImproperlyConfigured: |Invalid|ModuleNotFoundError: .*nowhere)", re.M)
    faults = [fault for fault in process.log.find_faults() if not told.search(fault)]
    assert not faults, "\n".join(faults)


def check_echo(server):
    client = RawClient(server)
    client.open("/echo/?case=right-again")
    client.send_text("right again")
    assert client.read_text() == "right again"
    client.send_close()
    client.read_close()
    client.hang_up()


def check_refused(server, row, client, name, path, case, journal):
    """The answer is a 500, the log says why, and nothing is served behind it."""
    mark = server.log.mark()
    smuggled = build_request(f"/smuggled/?case={case}", client.host, websocket=False)
    client.send_request(path, headers={"Origin": EVIL}, early=b"" if row.asgi else smuggled)
    assert client.read_response().status == (500 if row.denies else 403)
    server.log.wait_for(rf"(ImproperlyConfigured|Invalid\w+Backend): {name} is ", since=mark)
    client.read_to_eof()
    assert b" 101 " not in client.received
    assert not journal.events(case, "smuggled")
    assert not journal.events(case, "started")


def check_plain_http(client):
    client.send_request("/middleware-first/plain/", websocket=False)
    assert client.read_response().body == b"plain"


@pytest.mark.parametrize("path", PATHS)
def test_from_the_start(wrong_server, row, new_client, address, case, journal, path):
    name = "WEBSOCKET_ALLOWED_ORIGINS"
    change_settings(wrong_server)
    client = new_client(wrong_server)
    check_refused(wrong_server, row, client, name, address(path), case, journal)
    check_plain_http(new_client(wrong_server))


@pytest.mark.parametrize("name", WRONG)
def test_no_handshake_is_accepted(wrong_server, row, new_client, address, case, journal, name):
    change_settings(wrong_server, **{"WEBSOCKET_ALLOWED_ORIGINS": None, name: WRONG[name]})
    for path in PATHS:
        client = new_client(wrong_server)
        check_refused(wrong_server, row, client, name, address(path), case, journal)
    check_plain_http(new_client(wrong_server))
