"""An idle WebSocket holds no connection to PostgreSQL, whatever its age, and none of a pool."""

import pytest

from ..raw_client import PING, PONG, Frame
from ..servers.postgresql import POOL_SIZE, PostgresServer
from ..servers.process import wait_until
from .conftest import check_and_stop, run

# Every kind of waiting is among these; a server of its own for each row takes its time. All rows in
# one process, which makes one PostgreSQL.
pytestmark = [
    pytest.mark.rows(thorough=True, patched=True, database=True),
    pytest.mark.xdist_group("postgresql"),
]

persistent = pytest.mark.parametrize("alias", ["aged", "lasting"])


@pytest.fixture
def server(postgresql_backed_server):
    return postgresql_backed_server


@pytest.fixture(scope="session")
def small_postgresql():
    """It takes fewer connections than there are WebSockets."""
    server = PostgresServer(max_connections=30)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def crowded_server(row, start_server, journal, small_postgresql, database_path):
    settings = {"DATABASES": small_postgresql.databases(row.name, database_path)}
    process = run(start_server, row, settings, measured=False)
    yield process
    check_and_stop(process, journal)


VIEWS = ["view", "handler"]
COROUTINES = ["coroutine", "coroutines"]


@pytest.fixture(params=[*VIEWS, *COROUTINES])
def kind(request, row):
    if request.param in COROUTINES and not row.coroutines:
        pytest.skip("no coroutines here")
    return request.param


def ask(client, text="ask"):
    """The number of the connection that the answer came over."""
    client.send_text(text)
    return int(client.read_text())


def wait_for_release(postgresql, row, alias):
    wait_until(
        lambda: postgresql.count_connections(f"{row.name}-{alias}") == 0,
        "no connection is held",
    )


@persistent
def test_none_is_held_whatever_its_age_may_be(server, row, open_websocket, postgresql, kind, alias):
    clients = [open_websocket(f"/postgresql/{alias}/{kind}/") for _ in range(12)]
    for _ in range(2):
        for client in clients:
            ask(client)
        wait_for_release(postgresql, row, alias)


@persistent
def test_none_is_held_after_a_task(server, row, open_websocket, postgresql, alias):
    if not row.coroutines:
        pytest.skip("no coroutines here")
    client = open_websocket(f"/postgresql/{alias}/coroutines/")
    ask(client, "in a task")
    wait_for_release(postgresql, row, alias)


@persistent
def test_none_is_held_while_a_client_does_not_answer_the_close(
    server, row, open_websocket, postgresql, kind, alias
):
    """WEBSOCKET_CLOSE_TIMEOUT is 20 seconds here."""
    if kind in ("handler", "coroutines"):
        pytest.skip("they do not end by returning")
    client = open_websocket(f"/postgresql/{alias}/{kind}/")
    ask(client, "end")
    assert client.read_close().close_code == 1000
    wait_for_release(postgresql, row, alias)


@persistent
def test_one_inside_atomic_is_kept(server, row, open_websocket, postgresql, alias):
    wait_for_release(postgresql, row, alias)  # of the case before, whose views are ending yet
    client = open_websocket(f"/postgresql/{alias}/view/atomic/")
    first = ask(client)
    # The answer to the Ping shows that the view is inside its wait().
    client.send_frame(PING, b"waiting")
    assert client.read_frame() == Frame(PONG, b"waiting")
    assert postgresql.count_connections(f"{row.name}-{alias}") == 1
    assert ask(client) == first


def test_one_that_breaks_is_no_error_where_django_looks(server, open_websocket, postgresql, kind):
    """CONN_HEALTH_CHECKS: asked again at once the view has that very connection."""
    client = open_websocket(f"/postgresql/lasting/{kind}/")
    for _ in range(3):
        postgresql.execute("SELECT pg_terminate_backend(%s, 5000)", [ask(client)])


def test_one_of_a_pool_goes_back_to_it(server, open_websocket, kind):
    clients = [open_websocket(f"/postgresql/pooled/{kind}/") for _ in range(3 * POOL_SIZE)]
    used = {ask(client) for _ in range(2) for client in clients}
    assert len(used) <= POOL_SIZE


@pytest.mark.parametrize("alias", ["lasting"])
def test_more_websockets_than_connections_leave_plain_http_alone(
    crowded_server, row, open_websocket, new_client, small_postgresql, kind, alias
):
    clients = [
        open_websocket(f"/postgresql/{alias}/{kind}/", server=crowded_server) for _ in range(40)
    ]
    for client in clients:
        ask(client)
    plain = new_client(crowded_server)
    plain.send_request(f"/postgresql/{alias}/plain/", websocket=False)
    assert plain.read_response().status == 200
    # Those of the server's threads stay.
    wait_until(
        lambda: small_postgresql.count_connections(f"{row.name}-{alias}") <= 8,
        "no connection is held",
    )
