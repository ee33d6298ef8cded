"""Tasks of an async handler: started, replaced, cancelled, and never left behind."""

import asyncio
import logging
import threading
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.utils import timezone

from dwebsocket import ConnectionClosed, JsonWebSocketHandler, WebSocketHandler
from dwebsocket.exceptions import InvalidState
from dwebsocket.handlers import TASK_DUPLICATE_STARTED, TASK_WS_CLOSED
from dwebsocket.upgrade import tasks

from .site import wait_until


@pytest.fixture
def working(reports):
    """A handler whose task ``wait_for_ever`` reports why it ends."""

    class Working(WebSocketHandler):
        async def on_open(self):
            self.send("open")

        async def wait_for_ever(self, name):
            self.send(f"{name} runs")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError as error:
                reports((name, *error.args))
                raise

        async def on_close(self):
            reports(("close", dict(self.tasks)))

    return Working


def test_the_end_of_the_connection_ends_all(serve_either, reports, working):
    class Two(working):
        async def on_message(self, message):
            for name in ("one", "two"):
                self.start_task(name, self.wait_for_ever, args=[name])
            assert set(self.tasks) == {"one", "two"}

    with serve_either(Two.as_view()).websocket("/") as session:
        session.send("go")
        assert [session.receive() for _ in range(3)] == ["open", "one runs", "two runs"]
    ended = {reports.next(), reports.next()}
    assert ended == {("one", TASK_WS_CLOSED), ("two", TASK_WS_CLOSED)}
    assert reports.next() == ("close", {})


def test_a_second_one_of_the_same_id_ends_the_first(serve_either, reports, working):
    class Replacing(working):
        async def on_message(self, message):
            task = self.start_task("id", self.wait_for_ever, kwargs={"name": message})
            assert self.tasks == {"id": task}

    with serve_either(Replacing.as_view()).websocket("/") as session:
        assert session.receive() == "open"
        for name in ("first", "second"):
            session.send(name)
            assert session.receive() == f"{name} runs"
        assert reports.next() == ("first", TASK_DUPLICATE_STARTED)
    assert reports.next() == ("second", TASK_WS_CLOSED)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("call", ["cancel_task", "cancel_tasks"])
def test_cancelled_by_hand(serve_either, reports, working, call, plain):
    """From another thread, too."""

    class Cancelling(working):
        async def on_message(self, message):
            if message == "start":
                self.start_task("id", self.wait_for_ever, args=["id"])
            elif plain:
                await sync_to_async(self.cancel)()
            else:
                self.cancel()

        def cancel(self):
            self.cancel_task("other")  # there is none
            if call == "cancel_task":
                self.cancel_task("id", "as you wish")
            else:
                self.cancel_tasks()

    with serve_either(Cancelling.as_view()).websocket("/") as session:
        session.send("start")
        assert [session.receive(), session.receive()] == ["open", "id runs"]
        session.send("cancel")
        message = "as you wish" if call == "cancel_task" else TASK_WS_CLOSED
        assert reports.next() == ("id", message)
    assert reports.next() == ("close", {})


def test_a_task_that_ends_is_forgotten(serve_either, reports):
    class Short(WebSocketHandler):
        async def on_open(self):
            self.start_task("add", self.add, callback=self.ended, args=[1], kwargs={"to": 2})

        async def add(self, number, to):
            return number + to

        def ended(self, task):
            reports((task.result(), dict(self.tasks)))
            self.send("ended")

    with serve_either(Short.as_view()).websocket("/") as session:
        assert session.receive() == "ended"
    assert reports.next() == (3, {})


def test_send_may_be_a_task(serve_either):
    class Sending(JsonWebSocketHandler):
        async def on_open(self):
            self.start_task("hello", self.send, args=[{"hello": "world"}])

    with serve_either(Sending.as_view()).websocket("/") as session:
        assert session.receive_json() == {"hello": "world"}


async def fail(self):
    raise LookupError("on purpose")


def test_an_error_is_logged_and_the_connection_stays(serve_either, caplog):
    class Failing(WebSocketHandler):
        fail = fail

        async def on_message(self, message):
            self.start_task("fail", self.fail, callback=lambda task: self.send("ended"))

    with serve_either(Failing.as_view()).websocket("/") as session:
        for _ in range(2):
            session.send("go")
            assert session.receive() == "ended"
    assert [record.name for record in caplog.records] == ["django.request"] * 2
    assert caplog.records[0].exc_info[0] is LookupError
    assert caplog.records[0].request.path == "/"


def report_error(self, error):
    self.reports((error.args[0], get_user_model().objects.count() >= 0))


async def areport_error(self, error):
    self.reports((error.args[0], await get_user_model().objects.acount() >= 0))


@pytest.mark.parametrize("hook", [report_error, areport_error])
def test_on_task_error(serve_either, reports, caplog, hook):
    """Plain or async, it may ask the database."""

    class Failing(WebSocketHandler):
        fail = fail
        on_task_error = hook

        async def on_open(self):
            self.reports = reports
            self.start_task("fail", self.fail, callback=self.ended)

        def ended(self, task):
            self.send(type(task.exception()).__name__)

    with serve_either(Failing.as_view()).websocket("/") as session:
        assert session.receive() == "LookupError"
    assert reports.all() == [("on purpose", True)]
    assert caplog.records == []


@pytest.mark.parametrize("coroutine", [False, True])
def test_an_error_in_on_task_error_is_logged_once(serve_either, caplog, coroutine):
    class Failing(WebSocketHandler):
        fail = fail

        async def on_open(self):
            self.start_task("fail", self.fail, callback=lambda task: self.send("ended"))

        if coroutine:

            async def on_task_error(self, error):
                raise ZeroDivisionError
        else:

            def on_task_error(self, error):
                raise ZeroDivisionError

    with serve_either(Failing.as_view()).websocket("/") as session:
        assert session.receive() == "ended"
    assert [record.exc_info[0] for record in caplog.records] == [ZeroDivisionError]


def test_a_client_who_has_gone_is_no_error(serve_either, reports, caplog):
    class Pushing(WebSocketHandler):
        async def on_open(self):
            self.start_task("push", self.push, callback=self.ended)
            await self.close()

        async def push(self):
            try:
                while True:
                    self.send("tick")
                    await asyncio.sleep(0)
            finally:
                reports("push has ended")

        def ended(self, task):
            reports(task.cancelled() or type(task.exception()) is ConnectionClosed)

        async def on_task_error(self, error):
            reports(error)

    session = serve_either(Pushing.as_view()).websocket("/")
    with suppress(ConnectionClosed):
        while True:
            session.receive()
    session.close()
    assert [reports.next(), reports.next()] == ["push has ended", True]
    assert reports.all() == []
    assert caplog.records == []


def test_nothing_is_started_at_the_end(serve_either, reports):
    kept = []

    class Late(WebSocketHandler):
        async def on_open(self):
            kept.append((self, asyncio.get_running_loop()))

        async def on_close(self):
            try:
                self.start_task("late", self.never)
            except ConnectionClosed as error:
                reports(error.code)

        async def never(self):
            raise AssertionError

    with serve_either(Late.as_view()).websocket("/") as session:
        wait_until(lambda: kept)
        session.close(4001)
    assert reports.next() == 4001


def test_a_handler_without_a_loop_has_no_tasks(site, reports):
    class Plain(WebSocketHandler):
        def on_open(self):
            with pytest.raises(InvalidState, match="as 'async def'"):
                self.start_ping()
            reports("refused")

    with site.serve(Plain.as_view()).websocket("/"):
        assert reports.next() == "refused"


def test_one_that_does_not_end_is_named(serve_either, reports, caplog, monkeypatch):
    """The end of the connection goes on without it."""
    monkeypatch.setattr(tasks, "MAX_ENDING", 0.05)
    caplog.set_level(logging.ERROR, "dwebsocket.connection")
    over = threading.Event()

    class Stubborn(WebSocketHandler):
        __qualname__ = "Stubborn"

        async def on_open(self):
            self.start_task("stubborn", self.swallow)
            self.send("open")

        async def swallow(self):
            while not over.is_set():
                try:
                    await asyncio.sleep(0.01)
                except asyncio.CancelledError:
                    reports("not yet")
            reports("ended")

        async def on_close(self):
            reports("close")
            over.set()

    with serve_either(Stubborn.as_view()).websocket("/") as session:
        assert session.receive() == "open"
    assert [reports.next(), reports.next()] == ["not yet", "close"]
    # A loop of the connection's own cancels what is left when it ends.
    assert [call for call in iter(reports.next, "ended") if call != "not yet"] == []
    [record] = caplog.records
    assert "task 'stubborn' of Stubborn" in record.getMessage()


def test_a_task_reads_rows_while_messages_come(serve_either, user):
    """What the handler gives back when it waits is not the thread of its tasks."""

    class Reading(WebSocketHandler):
        async def on_open(self):
            self.next = asyncio.Event()
            self.start_task("read", self.read)

        async def read(self):
            users = get_user_model().objects.order_by("username")
            async for user in users.aiterator(chunk_size=1):
                self.send(user.username)
                await self.next.wait()
                self.next.clear()
            self.send("end")

        async def on_message(self, message):
            await get_user_model().objects.acount()
            self.next.set()

    others = [get_user_model().objects.create(username=name) for name in ("bob", "cid")]
    try:
        with serve_either(Reading.as_view()).websocket("/") as session:
            for name in ("ada", "bob", "cid"):
                assert session.receive() == name
                session.send("next")
            assert session.receive() == "end"
    finally:
        for other in others:
            other.delete()


# Time


class Timed(JsonWebSocketHandler):
    async def on_open(self):
        self.start_ping()
        self.send("open")


def test_start_ping(serve, loop, site):
    loop.stop_clock()
    with serve(Timed.as_view(), TIME_ZONE="Asia/Tokyo").websocket("/") as session:
        assert session.receive_json() == "open"
        assert session.outgoing.empty()
        for _ in range(3):
            loop.pass_time(58.5)
            loop.run(asyncio.sleep(0))
            assert session.outgoing.empty()
            loop.pass_time(0.5)
            message = session.receive_json()
            assert list(message) == ["ping"]
            moment = datetime.fromisoformat(message["ping"])
            assert abs(moment - timezone.now()) < timedelta(seconds=10)


def test_what_start_ping_runs_can_be_started_and_sent_by_hand(serve, loop):
    """As in code for django-ws."""

    class ByHand(JsonWebSocketHandler):
        async def on_open(self):
            self.start_task("by hand", self.ping)
            await self._ping()

    with serve(ByHand.as_view()).websocket("/") as session:
        for _ in range(3):
            assert list(session.receive_json()) == ["ping"]
            assert session.outgoing.empty()
            loop.pass_time(59)
        assert "ping" in session.receive_json()


def test_started_twice_it_is_sent_once(serve, loop):
    class Twice(Timed):
        async def on_open(self):
            self.start_ping()
            await super().on_open()

        async def on_message(self, message):
            self.send(message)

    with serve(Twice.as_view()).websocket("/") as session:
        assert session.receive_json() == "open"
        loop.pass_time(59)
        assert "ping" in session.receive_json()
        session.send_json("next")
        assert session.receive_json() == "next"


class Ticking(WebSocketHandler):
    async def on_open(self):
        self.start_task("ticks", self.tick)
        self.send("ready")

    async def tick(self):
        await self.sleep_loop(self.send_number, 180, "number", end=".")

    number = 0

    async def send_number(self, word, end):
        self.number += 1
        self.send(f"{word} {self.number}{end}")


def test_sleep_loop_sleeps_and_does_not_look_at_the_clock_meanwhile(serve, loop):
    with serve(Ticking.as_view()).websocket("/") as session:
        assert session.receive() == "ready"
        for number in (1, 2, 3):
            assert count_rounds(loop, 0.3) < 8  # what is done for the message before
            loop.pass_time(180)
            assert session.receive() == f"number {number}."


def count_rounds(loop, seconds):
    """How often the loop has woken up in that time."""
    selector = loop.loop._selector
    select, calls = selector.select, []

    def counting(timeout=None):
        calls.append(timeout)
        return select(timeout)

    selector.select = counting
    threading.Event().wait(seconds)
    selector.select = select
    return len(calls)
