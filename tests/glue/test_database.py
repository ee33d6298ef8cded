"""No idle WebSocket holds a database connection. Real SQLite, in a file."""

import contextlib
import select
import sqlite3

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection, connections, transaction
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.test import TestCase

from dwebsocket import WebSocketHandler, require_websocket
from dwebsocket.running import database
from dwebsocket.testing import WebSocketClient

from .site import TIMEOUT, Site, wait_until


def query():
    return get_user_model().objects.count()


def block(websocket):
    """A wait that really blocks."""
    with contextlib.suppress(TimeoutError):
        websocket.wait(0.01)


@pytest.fixture
def keep():
    """keep(seconds) sets CONN_MAX_AGE for this test."""
    settings = connections.settings["default"]
    before = settings["CONN_MAX_AGE"]

    def change(seconds):
        settings["CONN_MAX_AGE"] = seconds

    yield change
    settings["CONN_MAX_AGE"] = before


@pytest.fixture
def run_view(site, reports):
    """Run a function with the view's WebSocket; its result."""

    def run(function, *messages):
        @require_websocket
        def view(request):
            reports(function(request.websocket))

        with site.serve(view).websocket("/") as websocket:
            for message in messages:
                websocket.send(message)
            return reports.next()

    return run


def is_kept(websocket, wait=block):
    """Whether the connection open now is still the one after a wait."""
    query()
    used = connection.connection
    assert used is not None
    wait(websocket)
    return connection.connection is used and is_usable(used)


def is_usable(used):
    """Inside atomic() Django does not forget a connection that was closed."""
    try:
        used.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return False
    return True


def test_closed_before_a_wait_that_blocks(run_view):
    assert run_view(is_kept) is False


def test_the_next_query_opens_another(run_view):
    assert run_view(lambda websocket: (is_kept(websocket), query())) == (False, 0)


def test_closed_again_after_each_query(run_view):
    assert run_view(lambda websocket: [is_kept(websocket) for _ in range(3)]) == [False] * 3


def wait_for_one(websocket):
    """A wait that does not block: its message is here."""
    select.select([websocket], [], [], TIMEOUT)
    websocket.wait()


def test_kept_when_the_message_is_here(run_view):
    assert run_view(lambda websocket: is_kept(websocket, wait_for_one), "here") is True


@pytest.mark.parametrize(
    "look",
    [lambda w: w.read(), lambda w: w.has_messages(), lambda w: w.closed, lambda w: w.send("")],
)
def test_kept_by_what_does_not_block(run_view, look):
    assert run_view(lambda websocket: is_kept(websocket, look)) is True


@pytest.fixture
def ask_for_usable(monkeypatch):
    """SQLite's are usable for ever, says Django: let it ask, as it asks other databases."""
    monkeypatch.setattr(DatabaseWrapper, "is_usable", lambda self: is_usable(self.connection))


@pytest.fixture
def check_health(ask_for_usable):
    settings = connections.settings["default"]
    before = settings["CONN_HEALTH_CHECKS"]
    settings["CONN_HEALTH_CHECKS"] = True
    yield
    settings["CONN_HEALTH_CHECKS"] = before


def break_connection():
    """Behind Django's back, as a server does that is restarted."""
    query()
    connection.connection.close()


def test_looked_at_again_though_the_message_is_here(run_view, keep, check_health):
    def ask_again(websocket):
        break_connection()
        wait_for_one(websocket)
        return query()

    keep(60)
    assert run_view(ask_again, "here") == 0


def test_one_that_has_failed_is_left_though_the_message_is_here(run_view, keep, ask_for_usable):
    def fail_and_ask_again(websocket):
        break_connection()
        with pytest.raises(DatabaseError):
            query()
        wait_for_one(websocket)
        return query()

    keep(60)
    assert run_view(fail_and_ask_again, "here") == 0


def test_kept_inside_atomic(run_view):
    def in_atomic(websocket):
        with transaction.atomic():
            return is_kept(websocket)

    assert run_view(in_atomic) is True


def test_closed_at_the_first_wait_after_atomic(run_view):
    def after_atomic(websocket):
        with transaction.atomic():
            kept = is_kept(websocket)
        return kept, is_kept(websocket)

    assert run_view(after_atomic) == (True, False)


@pytest.mark.parametrize("seconds", [60, None])
def test_kept_for_a_moment_if_conn_max_age_allows(run_view, keep, seconds):
    keep(seconds)
    assert run_view(is_kept) is True


@pytest.mark.parametrize("seconds", [60, None])
def test_closed_in_a_longer_wait_whatever_conn_max_age_says(run_view, keep, seconds):
    def wait_longer(websocket):
        with pytest.raises(TimeoutError):
            websocket.wait(4 * database.MOMENT)

    keep(seconds)
    assert run_view(lambda websocket: is_kept(websocket, wait_longer)) is False


def test_what_comes_within_that_moment_or_later_arrives(site, keep):
    @require_websocket
    def view(request):
        for message in request.websocket:
            query()
            request.websocket.send(message)

    keep(60)
    with site.serve(view).websocket("/") as websocket:
        for pause in (0, database.MOMENT / 2, 2 * database.MOMENT):
            for text in "abc":
                websocket.send(text)
                assert websocket.receive() == text
                with pytest.raises(TimeoutError):
                    websocket.receive(pause)


def test_closed_when_it_has_become_too_old_while_waiting(run_view, keep):
    keep(60)

    def grow_old(websocket):
        kept = is_kept(websocket)
        connection.close_at = 0  # what an hour does
        return kept, is_kept(websocket)

    assert run_view(grow_old) == (True, False)


def test_iteration_gives_it_back_too(site):
    held = []

    @require_websocket
    def view(request):
        query()
        held.append(connections["default"])
        for _ in request.websocket:
            pass

    with site.serve(view).websocket("/"):
        wait_until(lambda: held and held[0].connection is None)


def test_a_process_without_queries_is_not_looked_at():
    connections.close_all()
    seen = database.release()[1]
    assert seen == database.opened
    query()
    assert seen != database.opened
    seen = database.release()[1]
    assert connection.connection is None
    assert seen == database.opened


class TransactionTests(TestCase):
    """In a TestCase the view works in the test's own transaction, which no wait may end."""

    def setUp(self):
        self.site = Site()
        self.addCleanup(self.site.close)

    def serve(self, view):
        self.site.serve(require_websocket(view))
        return WebSocketClient()

    def test_the_view_sees_what_the_test_wrote_and_the_reverse(self):
        users = get_user_model().objects
        users.create(username="written by the test")

        def view(request):
            block(request.websocket)
            request.websocket.send_json([user.username for user in users.all()])
            users.create(username="written by the view")
            block(request.websocket)

        with self.serve(view).websocket("/") as websocket:
            assert websocket.receive_json() == ["written by the test"]
        assert users.filter(username="written by the view").exists()

    def test_coroutines_see_it_too(self):
        users = get_user_model().objects
        users.create(username="test")

        async def view(request):
            await request.websocket.areceive()
            names = [user.username async for user in users.all()]
            await request.websocket.asend(" ".join(names))
            await users.acreate(username="view")

        with self.serve(view).websocket("/") as websocket:
            websocket.send("go")
            assert websocket.receive() == "test"
        assert users.filter(username="view").exists()

    def test_async_handlers_and_their_tasks_see_it_too(self):
        users = get_user_model().objects
        users.create(username="test")

        class Handler(WebSocketHandler):
            def on_open(self):
                self.send(users.get().username)

            async def on_message(self, message):
                self.start_task("tell", self.tell)

            async def tell(self):
                self.send((await users.aget()).username)

            async def on_close(self):
                await users.acreate(username="handler")

        self.site.serve(Handler.as_view())
        with WebSocketClient().websocket("/") as websocket:
            assert websocket.receive() == "test"
            websocket.send("go")
            assert websocket.receive() == "test"
        assert users.filter(username="handler").exists()

    def test_a_login_carries_over(self):
        client = self.serve(lambda request: request.websocket.send(request.user.get_username()))
        client.force_login(get_user_model().objects.create(username="grace"))
        with client.websocket("/") as websocket:
            assert websocket.receive() == "grace"

    def test_nothing_is_left_of_the_other_tests(self):
        assert query() == 0
