"""uWSGI alone: what no other server has, so no case of the contract suite."""

import pytest

from ..raw_client import RawClient
from ..servers.rows import UWSGI_TLS, uwsgi

SETTINGS_OF_NATIVE = {
    "WEBSOCKET_FACTORY_CLASS": "dwebsocket.backends.uwsgi.factory.uWsgiNativeWebSocketFactory"
}

NATIVE_MODES = {
    "threads": ("--threads", "8"),
    # A socket that takes nothing for 30 seconds is its default: too long for a test.
    "gevent": ("--gevent", "50", "--gevent-early-monkey-patch", "--socket-timeout", "4"),
}


@pytest.fixture(scope="module", params=NATIVE_MODES)
def native_server(request, start_server):
    """uWSGI that ends TLS in the worker, so that its own calls are all there is."""
    options = NATIVE_MODES[request.param]
    row = uwsgi(f"uwsgi-native-{request.param}", *options, tls=("--https-socket", UWSGI_TLS))
    if row.missing:
        pytest.skip(f"{row.missing} is not installed")
    process = start_server(row, SETTINGS_OF_NATIVE)
    yield process
    process.stop()
    assert "headers already sent" not in process.log.text()


@pytest.fixture
def run_server(start_server):
    """Start a row's server, and stop it when the test is over."""
    servers = []

    def run(row, settings=None):
        if row.missing:
            pytest.skip(f"{row.missing} is not installed")
        servers.append(start_server(row, settings))
        return servers[-1]

    yield run
    for server in servers:
        server.stop()


@pytest.fixture
def connect():
    """Connect to a server; what is still open at the end hangs up."""
    clients = []

    def new_client(server, path=None):
        client = RawClient(server)
        clients.append(client)
        if path is not None:
            client.open(path)
        return client

    yield new_client
    for client in clients:
        client.hang_up()
