"""uWSGI alone: what no other server has, so no case of the contract suite."""

import pytest

from ..raw_client import RawClient

SETTINGS_OF_NATIVE = {
    "WEBSOCKET_FACTORY_CLASS": "dwebsocket.backends.uwsgi.factory.uWsgiNativeWebSocketFactory"
}


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
