"""What waits for a commit: told when it is committed, and never when it is not."""

import asyncio
import threading
from contextlib import contextmanager, suppress
from secrets import token_hex

import pytest
from asgiref.sync import sync_to_async
from django.db import IntegrityError, connection, connections, transaction
from django.db.transaction import TransactionManagementError
from django.http import HttpResponse
from django.test import TestCase, TransactionTestCase, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils.connection import ConnectionDoesNotExist

from dwebsocket import Group
from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.current import get_backend, get_members

from .peers import Member


class Abort(Exception):
    """Rolls back."""


@pytest.fixture(params=["sqlite", "postgresql"])
def alias(request, tmp_path):
    """A database of this test, and its alias."""
    settings = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "other")}
    if request.param == "postgresql":
        pytest.importorskip("psycopg")
        server = request.getfixturevalue("postgresql")
        settings = server.databases("commit", tmp_path / "unused")["lasting"]
    connections.settings["other"] = connections.configure_settings(
        {"default": connections.settings["default"], "other": settings}
    )["other"]
    yield "other"
    connections["other"].close()
    del connections["other"], connections.settings["other"]


@pytest.fixture
def member():
    member = Member()
    Group("a").add(member)
    yield member
    get_members().leave(member)
    get_backend().unsubscribe("a")


@contextmanager
def rolled_back(alias=None):
    """What is in there raises in a transaction at its end."""
    with suppress(Abort), transaction.atomic(using=alias):
        yield
        raise Abort


def got(member):
    return [member.next(0) for _ in range(member.count())]


def send(text, alias, **options):
    Group("a").send(text, on_commit=True, using=alias, **options)


def test_sent_when_it_is_committed(alias, member):
    with transaction.atomic(using=alias):
        send("1", alias)
        Group("a").send_json([2], on_commit=True, using=alias)
        assert got(member) == []
    assert got(member) == ["1", "[2]"]


def test_what_is_rolled_back_is_never_told(alias, member):
    with rolled_back(alias):
        send("1", alias)
        Group("a").close(4001, on_commit=True, using=alias)
    with transaction.atomic(using=alias):
        send("2", alias)
        transaction.set_rollback(True, using=alias)
    with transaction.atomic(using=alias):
        pass
    assert got(member) == []


def test_savepoints(alias, member):
    with transaction.atomic(using=alias):
        send("1", alias)
        with rolled_back(alias):
            send("rolled back", alias)
            with transaction.atomic(using=alias):
                send("and what is in it", alias)
        with transaction.atomic(using=alias):
            send("2", alias)
        Group("a").close(4001, "over", on_commit=True, using=alias)
        assert got(member) == []
    assert got(member) == ["1", "2", (4001, "over")]


def test_a_commit_that_fails_tells_nothing(alias, member):
    if connections[alias].vendor != "postgresql":
        pytest.skip("its constraints are never deferred here")
    with connections[alias].cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS b; DROP TABLE IF EXISTS a")
        cursor.execute("CREATE TABLE a (id int PRIMARY KEY)")
        cursor.execute("CREATE TABLE b (a int REFERENCES a DEFERRABLE INITIALLY DEFERRED)")
    with suppress(IntegrityError), transaction.atomic(using=alias):
        with connections[alias].cursor() as cursor:
            cursor.execute("INSERT INTO b VALUES (1)")
        send("1", alias)
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM b")
        assert cursor.fetchone() == (0,)
    assert got(member) == []


def test_the_database_counts(alias, member):
    with transaction.atomic(using=alias):
        Group("a").send("of the default one", on_commit=True)
        assert got(member) == ["of the default one"]
        with transaction.atomic():
            send("1", alias)
        assert got(member) == []
    assert got(member) == ["1"]
    with pytest.raises(ConnectionDoesNotExist):
        send("1", "no such database")
    assert got(member) == []


def test_without_a_transaction_it_is_sent_at_once(alias, member):
    send("1", alias)
    assert connections[alias].connection is None  # and for that alone nobody connects
    connections[alias].ensure_connection()
    send("2", alias)
    assert got(member) == ["1", "2"]


def test_a_transaction_that_django_does_not_see(alias, member):
    connections[alias].ensure_connection()
    connections[alias].set_autocommit(False)
    with pytest.raises(TransactionManagementError, match=r"the group 'a' cannot wait .* 'other'"):
        send("1", alias)
    Group("a").send("2", on_commit=False)
    with transaction.atomic(using=alias):
        send("3", alias)
        assert got(member) == ["2"]
    connections[alias].rollback()
    connections[alias].set_autocommit(True)


def test_the_setting_makes_it_the_rule(alias, member):
    with override_settings(WEBSOCKET_GROUPS_ON_COMMIT=True):
        Group("a").send("1")
        with rolled_back():
            Group("a").send("rolled back")
            Group("a").close()
            Group("a").send("at once", on_commit=False)
        with transaction.atomic(using=alias):
            Group("a").send("2", using=alias)
            assert got(member) == ["1", "at once"]
    assert got(member) == ["2"]
    with transaction.atomic():
        Group("a").send("3")
        assert got(member) == ["3"]


def test_what_cannot_be_sent_is_said_at_once(alias, member):
    with transaction.atomic(using=alias):
        with pytest.raises(TypeError):
            send(5, alias)
        with pytest.raises(ValueError, match="1006"):
            Group("a").close(1006, on_commit=True, using=alias)
        changed = bytearray(b"as it was")
        send(changed, alias)
        changed[:] = b"as it is "
    assert got(member) == [b"as it was"]


def test_an_error_behind_the_commit_undoes_nothing(alias, member, monkeypatch, caplog):
    called = []

    def fail(name, content, exclude):
        raise GroupUnavailable("nobody is there")

    with connections[alias].cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS told (id int)")
        cursor.execute("DELETE FROM told")
    with monkeypatch.context() as patch:
        patch.setattr(get_backend(), "send", fail)
        with transaction.atomic(using=alias):
            with connections[alias].cursor() as cursor:
                cursor.execute("INSERT INTO told VALUES (1)")
            send("1", alias)
            transaction.on_commit(lambda: called.append(1), using=alias)
    assert called == [1]
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM told")
        assert cursor.fetchone() == (1,)
    assert "to the group 'a' behind a commit is not sent" in caplog.text
    assert "nobody is there" in caplog.text


def test_a_history_has_what_was_committed(alias):
    room = Group(f"kept.{token_hex(4)}", history=5)  # another run has left its own
    with rolled_back(alias):
        room.send("rolled back", on_commit=True, using=alias)
    with transaction.atomic(using=alias):
        room.send("1", on_commit=True, using=alias)
        assert room.history().messages == []
    assert room.history().messages == ["1"]


def test_each_thread_has_its_own_transaction(alias, member):
    with transaction.atomic(using=alias):
        thread = threading.Thread(target=send, args=("of a thread", alias))
        thread.start()
        thread.join(10)
        assert got(member) == ["of a thread"]


def test_coroutines(alias, member):
    def in_transaction(abort):
        try:
            with transaction.atomic(using=alias):
                send("1", alias)
                if abort:
                    raise Abort
        except Abort:
            pass
        finally:
            connections[alias].close()

    async def run():
        await sync_to_async(in_transaction)(True)
        assert got(member) == []
        await sync_to_async(in_transaction)(False)
        assert got(member) == ["1"]
        with override_settings(WEBSOCKET_GROUPS_ON_COMMIT=True):
            await Group("a").asend("2")
            Group("a").send("3")

    asyncio.run(run())
    assert got(member) == ["2", "3"]


@pytest.mark.parametrize("fails", [False, True])
def test_a_request_in_a_transaction(site, member, fails):
    """ATOMIC_REQUESTS: behind the view's end."""
    seen = []

    def view(request):
        Group("a").send("1", on_commit=True)
        seen.append((connection.in_atomic_block, got(member)))
        if fails:
            raise Abort
        return HttpResponse("ok")

    settings = connections.settings["default"]
    settings["ATOMIC_REQUESTS"] = True
    connections.close_all()
    try:
        client = site.serve(view, raise_request_exception=False)
        assert client.get("/").status_code == (500 if fails else 200)
    finally:
        settings["ATOMIC_REQUESTS"] = False
        connections.close_all()
    assert seen == [(True, [])]
    assert got(member) == ([] if fails else ["1"])


# Tests of a user's


class InATransaction(TestCase):
    """Each of its tests runs in one, which is rolled back."""

    def test_callbacks_are_captured(self):
        member = Member()
        Group("a").add(member)
        self.addCleanup(get_members().leave, member)
        with self.captureOnCommitCallbacks() as callbacks:
            Group("a").send("1", on_commit=True)
        assert got(member) == []
        assert len(callbacks) == 1
        with self.captureOnCommitCallbacks(execute=True):
            Group("a").send("2", on_commit=True)
        assert got(member) == ["2"]
        Group("a").send("3")
        assert got(member) == ["3"]

    def test_an_error_is_no_error_of_the_test(self):
        with self.assertLogs("dwebsocket.groups", "ERROR") as logs:
            with self.captureOnCommitCallbacks(execute=True):
                Group("a").send("1", on_commit=True, exclude=None)
                get_backend().send, send = self.refuse, get_backend().send
            get_backend().send = send
        assert "behind a commit" in logs.output[0]

    @staticmethod
    def refuse(name, content, exclude):
        raise GroupUnavailable("nobody is there")


class WithoutATransaction(TransactionTestCase):
    def test_it_is_sent_by_the_commit(self):
        member = Member()
        Group("a").add(member)
        self.addCleanup(get_members().leave, member)
        with CaptureQueriesContext(connection), transaction.atomic():
            Group("a").send("1", on_commit=True)
            assert got(member) == []
        assert got(member) == ["1"]
