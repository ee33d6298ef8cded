"""One line when a WebSocket opens, and one when it has ended."""

import json
import logging

import pytest
from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import HttpResponse
from django.urls import re_path

from dwebsocket import WebSocketHandler, accept_websocket, require_websocket

from .site import MIDDLEWARE, OURS, wait_until

LOGGER = "dwebsocket.connection"


@accept_websocket
def view(request):
    if not request.is_websocket():
        return HttpResponse(request.user.get_username())
    for message in request.websocket:
        talk(request.websocket, message)
    return None


@require_websocket
async def coroutine(request):
    async for message in request.websocket:
        if message == "fail":
            raise ZeroDivisionError
        if message == "close":
            await request.websocket.aclose(4001, 'that is "all"\nfor now')
        else:
            await request.websocket.asend(message)


@require_websocket
def anywhere(request, anything):
    request.websocket.wait()


class Handler(WebSocketHandler):
    def get(self, request):
        return HttpResponse(request.user.get_username())

    def on_message(self, message):
        talk(self.websocket, message)


class Light(Handler):
    keep_request = False


class AsyncHandler(WebSocketHandler):
    async def on_message(self, message):
        talk(self.websocket, message)


@require_websocket(auto_accept=False)
def accepting(request):
    request.websocket.accept()
    view.__wrapped__(request)


def talk(websocket, message):
    if message == "fail":
        raise ZeroDivisionError
    if message == "close":
        websocket.close(4001, 'that is "all"\nfor now')
    else:
        websocket.send(message)


VIEWS = {
    "view": view,
    "coroutine": coroutine,
    "handler": Handler.as_view(),
    "light handler": Light.as_view(),
    "async handler": AsyncHandler.as_view(),
    "accepting view": accepting,
}
kinds = pytest.mark.parametrize("kind", VIEWS)


@pytest.fixture(name="lines")
def make_lines(caplog):
    """The records, as soon as there are so many."""
    caplog.set_level(logging.INFO, LOGGER)

    def wait(count):
        def found():
            return [record for record in caplog.records if record.levelname == "INFO"]

        wait_until(lambda: len(found()) >= count)
        assert len(found()) == count
        return found()

    return wait


@kinds
def test_what_is_said_of_a_websocket(serve_either, lines, kind):
    with serve_either(VIEWS[kind]).websocket("/?token=secret") as session:
        [opened] = lines(1)
        for number in range(3):
            session.send(str(number))
            assert session.receive() == str(number)
        lines(1)
    opened, ended = lines(2)
    address = opened.address
    assert opened.getMessage() == f"WebSocket opened: /, user -, from {address}"
    assert address == "127.0.0.1"
    assert (ended.name, ended.path, ended.user, ended.address) == (LOGGER, "/", None, address)
    assert (ended.code, ended.reason, ended.received) == (1000, "", 3)
    assert 0 <= ended.seconds < 10
    assert ended.getMessage() == (
        f"WebSocket ended: /, user -, from {address}, code 1000, after {ended.seconds:.1f} s, "
        "3 messages received"
    )


@kinds
def test_fields_for_json(serve_either, lines, kind):
    with serve_either(VIEWS[kind]).websocket("/"):
        pass
    for record in lines(2):
        names = ["path", "user", "address", "code", "reason", "seconds", "received"]
        fields = {name: vars(record)[name] for name in names if name in vars(record)}
        assert json.loads(json.dumps(fields)) == fields
        assert len(fields) == (3 if record.getMessage().startswith("WebSocket opened") else 7)


@kinds
def test_a_close_of_ours(serve_either, lines, kind):
    with serve_either(VIEWS[kind]).websocket("/") as session:
        session.send("close")
        with pytest.raises(EOFError):
            session.receive()
    _, ended = lines(2)
    assert (ended.code, ended.received) == (4001, 1)
    assert ', code 4001 "that is "all"\\nfor now", after ' in ended.getMessage()
    assert ended.getMessage().endswith(" s, 1 message received")


@kinds
def test_an_error(serve_either, lines, kind):
    with serve_either(VIEWS[kind]).websocket("/") as session:
        session.send("fail")
        with pytest.raises(EOFError):
            session.receive()
    assert lines(2)[1].code == 1011


@kinds
@pytest.mark.parametrize("middleware", [MIDDLEWARE, [*MIDDLEWARE, OURS]])
def test_a_user_that_is_known(serve_either, lines, user, kind, middleware):
    client = serve_either(login_required(VIEWS[kind]), MIDDLEWARE=middleware)
    client.force_login(user)
    with client.websocket("/"):
        pass
    opened, ended = lines(2)
    assert opened.user == ended.user == "ada"
    assert opened.getMessage().startswith("WebSocket opened: /, user ada, from ")


asked = []


def watching(get_response):
    def note(execute, sql, *args):
        asked.append(sql)
        return execute(sql, *args)

    def middleware(request):
        with connection.execute_wrapper(note):
            return get_response(request)

    return middleware


@pytest.mark.parametrize("kind", ["view", "handler"])
def test_nobody_asks_the_database_for_the_user(site, lines, user, kind):
    client = site.serve(VIEWS[kind], MIDDLEWARE=[*MIDDLEWARE, f"{__name__}.watching"])
    client.force_login(user)
    asked.clear()
    with client.websocket("/"):
        pass
    assert {record.user for record in lines(2)} == {None}
    assert asked == []
    client.get("/?look")
    assert asked  # it would have been noticed


def test_a_user_that_the_view_has_asked_for(serve_either, lines, user):
    @require_websocket
    def asking(request):
        assert request.user.is_authenticated
        request.websocket.wait()

    client = serve_either(asking)
    client.force_login(user)
    with client.websocket("/"):
        pass
    assert [record.user for record in lines(2)] == [None, "ada"]


def test_what_a_client_may_have_put_into_its_path(site, lines):
    client = site.serve(view, re_path(r"(?s)(?P<anything>.*)", anywhere))
    with client.websocket("/%0aINFO%20dwebsocket.connection:%20%1b[31m"):
        pass
    for record in lines(2):
        assert record.path == "/\\nINFO dwebsocket.connection: \\x1b[31m"
        assert "\n" not in record.getMessage()


def test_a_user_who_cannot_be_named_is_nobodys_end(serve_either, lines, caplog):
    class Odd:
        is_authenticated = True

        def get_username(self):
            raise ZeroDivisionError

    @require_websocket
    def odd(request):
        request.user = Odd()
        request.websocket.send("here")

    with serve_either(odd, MIDDLEWARE=[]).websocket("/") as session:
        assert session.receive() == "here"
    wait_until(lambda: "Logging that a WebSocket has ended failed" in caplog.text)


@kinds
def test_nothing_is_kept_for_a_log_that_nobody_reads(serve_either, caplog, kind):
    seen = []

    @require_websocket
    def looking(request):
        seen.append(request.websocket._connection_log)

    with serve_either(looking).websocket("/"):
        pass
    assert seen == [None]
    assert caplog.records == []


@require_websocket
@login_required
def upside_down(request):
    raise AssertionError("nobody is logged in")


@require_websocket
@login_required
async def upside_down_coroutine(request):
    raise AssertionError("nobody is logged in")


@require_websocket
def returning(request):
    request.websocket.wait()
    return HttpResponse("page", status=200)


LATE = {upside_down: 302, upside_down_coroutine: 302, returning: 200}


@pytest.mark.parametrize("late", LATE)
def test_an_answer_behind_the_101_is_told_once(serve_either, caplog, late):
    client = serve_either(late)
    for _ in range(2):
        with client.websocket("/"):
            pass
    wait_until(lambda: caplog.records)
    lines = {record.getMessage() for record in caplog.records}
    # Each way to serve it comes here, and one of them is the first.
    assert len(caplog.records) == 1
    [line] = lines
    assert line.startswith(f"tests.glue.test_connection_log.{late.__name__} has sent its 101, and ")
    assert f"answered with HTTP {LATE[late]}," in line


@pytest.fixture(autouse=True)
def told_anew():
    from dwebsocket.upgrade import lost_changes

    lost_changes.told.clear()


def test_an_empty_answer_behind_the_101_is_none(serve_either, caplog):
    @require_websocket
    def quiet(request):
        request.websocket.wait()
        return HttpResponse()

    with serve_either(quiet).websocket("/"):
        pass
    assert caplog.records == []
