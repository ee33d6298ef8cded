"""Many clients of two tenants at once: not one row in the wrong schema."""

import asyncio
import os
import socket
import subprocess
import sys
from http.client import HTTPConnection

import pytest
from websockets.asyncio.client import connect
from websockets.sync.client import connect as connect_sync

from ..servers.process import wait_until
from ..servers.tenants import COMMANDS, FOLDER, TenantServer, make_environment, prepare

TIMEOUT = 60  # seconds, for all of them
CLIENTS = int(os.environ.get("DWEBSOCKET_TEST_CLIENTS", "80"))
MESSAGES = 2
TENANTS = ["acme", "globex"]
PATHS = ["/handler/", "/async-handler/", "/async-view/"]

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def database(postgresql):
    prepare(postgresql)
    yield postgresql
    postgresql.execute("DROP DATABASE tenants WITH (FORCE)")


@pytest.fixture(scope="module")
def start(database, tmp_path_factory):
    servers = []

    def start(name, settings="tests.examples.tenant_settings"):
        environment = make_environment(database, DJANGO_SETTINGS_MODULE=settings)
        servers.append(TenantServer(name, tmp_path_factory.mktemp("tenants"), environment))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module", params=COMMANDS)
def server(request, start):
    server = start(request.param)
    yield server
    server.stop_for_good()


def rows(database, schema):
    query = f"SELECT text FROM {schema}.notes_note"
    return sorted(text for (text,) in database.execute(query, database="tenants"))


@pytest.fixture(autouse=True)
def no_notes(database):
    for schema in TENANTS:
        database.execute(f"TRUNCATE {schema}.notes_note", database="tenants")


def address(server, path, tenant):
    return f"ws://{tenant}.localhost:{server.port}{path}"


def ask(server, tenant, text):
    """An ordinary request beside them."""
    connection = HTTPConnection(server.host, server.port, timeout=TIMEOUT)
    headers = {"Host": f"{tenant}.localhost"}
    connection.request("POST", f"/plain/?text={text}", headers=headers)
    response = connection.getresponse()
    connection.close()
    assert response.status == 200
    return response.read().decode()


async def talk(server, path, number, ready):
    """One client: what it is answered."""
    tenant = TENANTS[number % 2]
    options = {"host": server.host, "port": server.port, "open_timeout": TIMEOUT}
    options |= {"ping_interval": None, "proxy": None}
    async with connect(address(server, path, tenant), **options) as websocket:
        await ready.wait()
        answers = []
        for message in range(MESSAGES):
            await websocket.send(f"{tenant}-{number}-{message}")
            answers.append(await websocket.recv())
        return answers


async def talk_all(server, path):
    ready = asyncio.Barrier(CLIENTS) if sys.version_info >= (3, 11) else Ready()
    clients = [talk(server, path, number, ready) for number in range(CLIENTS)]
    plain = [asyncio.to_thread(ask, server, tenant, f"{tenant}-plain") for tenant in TENANTS * 5]
    return await asyncio.wait_for(asyncio.gather(*clients, *plain), TIMEOUT)


class Ready:
    """In the place of a barrier, which Python 3.10 has not."""

    async def wait(self):
        await asyncio.sleep(0)


@pytest.mark.parametrize("path", PATHS)
def test_each_has_what_is_its_own(request, server, database, path):
    if "gevent" in request.node.name and "async" in path:
        pytest.skip("greenlets have no event loop")
    answers = asyncio.run(talk_all(server, path))
    expected = {}
    for number, tenant in enumerate(TENANTS):
        own = range(number, CLIENTS, 2)
        expected[tenant] = [f"{tenant} has left"] * len(own) + [f"{tenant}-plain"] * 5
        expected[tenant] += [f"{tenant}-{one}-{last}" for one in own for last in range(MESSAGES)]
    for tenant, texts in expected.items():
        wait_until(lambda: len(rows(database, tenant)) >= len(texts), "all is written", 60)  # noqa: B023
        assert rows(database, tenant) == sorted(texts)
    strangers = {count for answer in answers for count in answer}
    assert strangers == {"0"}


def open_page(server, tenant):
    sock = socket.create_connection((server.host, server.port), TIMEOUT)
    return connect_sync(address(server, "/socket/", tenant), sock=sock, proxy=None)


def test_the_page(server, database):
    """As it stands: one company's pages hear of its notes."""
    connection = HTTPConnection(server.host, server.port, timeout=TIMEOUT)
    connection.request("GET", "/", headers={"Host": "acme.localhost"})
    assert b"Notes of Acme" in connection.getresponse().read()
    connection.close()
    with open_page(server, "acme") as acme, open_page(server, "globex") as globex:
        acme.send("an anvil")
        assert acme.recv(TIMEOUT) == "an anvil"
        globex.send("a secret")
        assert globex.recv(TIMEOUT) == "a secret"
    with open_page(server, "acme") as acme:
        assert acme.recv(TIMEOUT) == "an anvil"
    assert rows(database, "acme") == ["an anvil"]
    assert rows(database, "globex") == ["a secret"]


def test_the_system_check(database):
    """Without the one line of its settings they are refused, and the check says so."""
    code = (
        "import hosting.settings as s; s.WEBSOCKET_CONTEXTS = []; import django; django.setup();"
        "from django.core.management import call_command; call_command('check')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=FOLDER,
        env=make_environment(database, DJANGO_SETTINGS_MODULE="hosting.settings"),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert "dwebsocket.E020" in result.stderr
    assert "TenantMainMiddleware is in MIDDLEWARE" in result.stderr
