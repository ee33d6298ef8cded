"""What a call of a handler has set on Django's connection objects no other call sees."""

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections, transaction

from dwebsocket import ConnectionClosed, WebSocketHandler, require_websocket
from dwebsocket.running import database
from dwebsocket.running.threads import Threads

from ..raw_client import TEXT, build_frame
from .site import TIMEOUT, letting_go


def set_attribute():
    """Without connecting."""
    connection.tenant = "acme"


def add_wrapper():
    connection.execute_wrappers.append(lambda execute, *args: execute(*args))


def switch_autocommit_off():
    connection.set_autocommit(False)
    get_user_model().objects.create(username="never committed")


def enter_atomic():
    transaction.atomic().__enter__()
    get_user_model().objects.create(username="never committed")
    transaction.on_commit(lambda: None)


def fail_in_transaction():
    connection.ensure_connection()
    connection.set_autocommit(False)
    raise LookupError


LEFT = {
    function.__name__: function
    for function in (set_attribute, add_wrapper, switch_autocommit_off, enter_atomic)
}


def look():
    """What there is on the connection object, and of what was not committed."""
    found = vars(connections["default"]).copy()
    return (
        found.get("tenant"),
        len(found["execute_wrappers"]),
        found["connection"] is None or connection.get_autocommit(),
        found["in_atomic_block"],
        len(found["run_on_commit"]),
        get_user_model().objects.filter(username="never committed").exists(),
    )


CLEAN = (None, 0, True, False, 0, False)


@pytest.fixture(autouse=True)
def _own_connections():
    """The test's own thread begins and ends without any."""
    database.forget_all()
    yield
    database.forget_all()


@pytest.fixture
def serve_leaving(site, reports):
    """Handlers that tell what they find, and leave what a message names; or do so in the end."""

    class Leaving(WebSocketHandler):
        last = None

        def on_message(self, message):
            found = look()
            where, _, name = message.partition(" ")
            if where == "then":
                self.last = LEFT[name]
            elif where == "now":
                LEFT[name]()
            elif where == "fail":
                fail_in_transaction()
            self.send(str(found))

        def on_close(self):
            found = look()
            if self.last is not None:
                self.last()
            reports(found)

    site.serve(letting_go(Leaving.as_view()))


def ask(client, message="look"):
    client.send_text(message)
    return client.read_text()


def close(client):
    client.send_close()
    client.read_close()


@pytest.mark.parametrize("name", LEFT)
def test_it_is_gone_for_the_next_call_whosever_it_is(site, serve_leaving, name):
    one, other = site.open(), site.open()
    for _ in range(3):
        assert ask(one, f"now {name}") == str(CLEAN)
        assert ask(other) == str(CLEAN)
        assert ask(one) == str(CLEAN)


@pytest.mark.parametrize("name", LEFT)
def test_on_close_leaves_nothing_and_finds_nothing(site, reports, serve_leaving, name):
    other = site.open()
    for _ in range(3):
        one = site.open()
        ask(one, f"then {name}")
        close(one)
        assert reports.next() == CLEAN
        assert ask(other) == str(CLEAN)


def test_a_call_that_raises_leaves_nothing(site, serve_leaving):
    other = site.open()
    for _ in range(3):
        one = site.open()
        one.send_text("fail")
        assert one.read_close().close_code == 1011
        assert ask(other) == str(CLEAN)


def test_a_call_without_the_database_looks_at_nothing(monkeypatch, site):
    looked, forget_all = [], database.forget_all
    monkeypatch.setattr(database, "forget_all", lambda: looked.append(forget_all()))

    class Echo(WebSocketHandler):
        def on_message(self, message):
            self.send(message)

    site.serve(letting_go(Echo.as_view()))
    client = site.open()
    texts = [str(number) for number in range(50)]
    assert [ask(client, text) for text in texts] == texts
    assert len(looked) < 10  # the handshake's, and of what earlier tests have left


def test_a_message_that_is_here_early_meets_nothing_of_its_request(site, reports):
    """Its call does not disturb the transaction of a middleware."""

    class Early(WebSocketHandler):
        def on_message(self, message):
            reports(look())
            connection.tenant = "of a call"

    def around(request):
        connection.tenant = "of the request"
        with transaction.atomic():
            get_user_model().objects.create(username="committed")
            response = letting_go(Early.as_view())(request)
            reports((connection.tenant, connection.in_atomic_block))
        reports(get_user_model().objects.filter(username="committed").delete()[0] >= 1)
        return response

    # On SQLite others could only read meanwhile, and do so in no more than look().
    site.serve(around)
    site.open(early=build_frame(TEXT, "early"))
    found = [reports.next() for _ in range(3)]  # the call runs beside the request
    for expected in (CLEAN, ("of the request", True), True):
        assert expected in found


@pytest.mark.parametrize("way", [letting_go, lambda view: view], ids=["driven", "held"])
def test_a_request_that_became_a_websocket_leaves_nothing_in_its_thread(reports, site, way):
    class Leaving(WebSocketHandler):
        def on_open(self):
            connection.tenant = "acme"

    def around(request):
        response = way(Leaving.as_view())(request)
        close = response.close

        def close_and_look():
            reports(connection.tenant)  # what is around the response sees it
            close()
            reports(getattr(connection, "tenant", None))

        response.close = close_and_look
        return response

    site.serve(around)
    close(site.open())
    assert [reports.next(), reports.next()] == ["acme", None]


def test_a_connection_that_is_lent_stays():
    """As a test's to the thread of its server."""
    lent = connections["default"]
    lent.inc_thread_sharing()
    lent.tenant = "acme"
    try:
        database.forget_all()
        assert connections["default"] is lent
        assert connections["default"] is lent
    finally:
        lent.dec_thread_sharing()


def test_one_that_cannot_be_closed_is_forgotten_and_logged(caplog):
    def fail():
        raise OSError("broken")

    broken = connections["default"]
    broken.close = fail
    database.forget_all()
    assert connections["default"] is not broken
    assert [record.getMessage() for record in caplog.records] == [
        "A database connection cannot be closed"
    ]


@pytest.mark.parametrize("keeps", [False, True])
def test_threads_that_serve_many_keep_nothing(reports, keeps):
    """Handshakes under ASGI, and what coroutines have done in a thread."""
    pool = Threads(1, "test", TIMEOUT, keeps_databases=keeps)

    def work():
        reports(getattr(connection, "tenant", None))
        connection.tenant = "acme"

    pool.start(work)
    assert reports.next() is None
    pool.start(work)
    assert reports.next() == ("acme" if keeps else None)
    pool.dismiss()


def test_an_object_that_a_coroutine_has_made_is_its_own(serve_either, caplog):
    """In the event loop, where Django lets nobody close a connection."""

    @require_websocket
    async def view(request):
        await request.websocket.asend(str(getattr(connection, "tenant", None)))
        connection.tenant = "acme"

    client = serve_either(view)
    for _ in range(2):
        with client.websocket("/") as session:
            assert session.receive() == "None"
            with pytest.raises(ConnectionClosed) as caught:
                session.receive()
            assert caught.value.code == 1000
    assert not caplog.records
