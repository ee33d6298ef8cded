"""Requests of views run in a thread of their own, with all their middleware, from the beginning."""

import threading

import pytest
from django.core.signals import request_finished, request_started
from django.http import HttpResponse
from django.urls import get_script_prefix, path

from dwebsocket import WebSocketHandler, require_websocket
from dwebsocket.backends import view_threads
from dwebsocket.backends.default.servers import WsgirefTakeover

from .site import MIDDLEWARE, OURS, letting_go, wait_until

HERE = __name__
NOTED = f"{HERE}.noting"
notes = []


def note(what):
    notes.append((what, threading.current_thread().name))


def noting(get_response):
    """Middleware that tells in which thread it begins and ends, and how often."""

    def middleware(request):
        note("begins")
        try:
            return get_response(request)
        finally:
            note("ends")

    return middleware


@require_websocket
def view(request):
    note("view")
    for _ in request.websocket:
        request.websocket.send(get_script_prefix())


@require_websocket(auto_accept=False)
def refusing(request):
    note("view")
    return HttpResponse("the room is full", status=403)


@require_websocket
async def coroutine(request):
    async for _ in request.websocket:
        pass


@pytest.fixture(autouse=True)
def forget_notes():
    wait_until(lambda: view_threads.running == 0)  # of another test
    notes.clear()
    yield
    wait_until(lambda: view_threads.running == 0)


@pytest.fixture
def lets_go(monkeypatch):
    """The test's server has few threads, and lets its connections go."""
    for name in ("lets_go", "few_threads"):
        monkeypatch.setattr(WsgirefTakeover, name, property(lambda takeover: True))


@pytest.fixture
def signals():
    """How often a request has begun and ended, by the thread."""
    seen = []

    def started(**kwargs):
        seen.append(("started", threading.current_thread().name))

    def finished(**kwargs):
        seen.append(("finished", threading.current_thread().name))

    request_started.connect(started)
    request_finished.connect(finished)
    yield seen
    request_started.disconnect(started)
    request_finished.disconnect(finished)


def talk(client):
    client.send_text("hello")
    assert client.read_text() == "/"
    client.send_close()
    client.read_close()
    client.read_to_eof()
    client.join()


@pytest.mark.parametrize("middleware", [[NOTED], [NOTED, *MIDDLEWARE, OURS], [OURS, NOTED]])
def test_middleware_and_view_run_once_in_one_thread_of_ours(site, lets_go, middleware):
    site.serve(view, MIDDLEWARE=middleware)
    for _ in range(2):
        talk(site.open())
        wait_until(lambda: len(notes) == 3)
        assert notes == [(what, view_threads.NAME) for what in ("begins", "view", "ends")]
        notes.clear()


def test_the_servers_thread_is_free_while_the_view_is_open(site, lets_go):
    site.serve(view, MIDDLEWARE=[NOTED])
    client = site.open()
    client.join()  # the server's request has ended
    client.send_text("hello")
    assert client.read_text() == "/"
    assert ("ends", view_threads.NAME) not in notes


def test_a_request_begins_and_ends_once(site, lets_go, signals):
    site.serve(view)
    talk(site.open())
    wait_until(lambda: len(signals) == 2)
    (first, server), (second, thread) = signals
    assert (first, second) == ("started", "finished")
    assert thread == view_threads.NAME != server


def test_a_refusal_is_answered_by_the_server(site, lets_go, signals):
    site.serve(refusing, MIDDLEWARE=[NOTED])
    client = site.connect()
    client.send_request("/")
    response = client.read_response()
    assert (response.status, response.body) == (403, b"the room is full")
    assert response.headers["connection"] == "close"
    assert client.read_to_eof() == b""
    client.join()
    assert [name for name, _ in signals] == ["started", "finished"]
    assert [what for what, _ in notes] == ["begins", "view", "ends"]


def failing(get_response):
    def middleware(request):
        raise SystemExit("deliberate")

    return middleware


def test_what_is_no_error_reaches_the_server(site, lets_go):
    """As it does without us: there it may mean that the server ends."""
    site.serve(view, MIDDLEWARE=[f"{HERE}.failing"])
    client = site.connect()
    client.send_request("/")
    client.read_to_eof()
    client.join()
    wait_until(lambda: view_threads.running == 0)


@pytest.mark.parametrize("known", [coroutine, WebSocketHandler.as_view()])
def test_who_leaves_anyway_needs_no_thread_for_the_handshake(site, lets_go, known):
    site.serve(known, MIDDLEWARE=[NOTED])
    client = site.open()
    client.join()
    assert [what for what, _ in notes] == ["begins", "ends"]
    assert view_threads.NAME not in {name for _, name in notes}
    client.send_close()
    client.read_close()


def test_plain_http_stays_in_the_servers_thread(site, lets_go):
    site.serve(view, path("plain/", lambda request: HttpResponse("plain")), MIDDLEWARE=[NOTED])
    talk(site.open())
    wait_until(lambda: len(notes) == 3)
    notes.clear()
    client = site.connect()
    client.send_request("/plain/", websocket=False, headers={"Connection": "close"})
    assert client.read_response().body == b"plain"
    client.join()
    assert view_threads.NAME not in {name for _, name in notes}


def test_beyond_the_bound_a_view_is_refused_and_others_are_not(site, lets_go):
    site.serve(
        view,
        path("handler/", WebSocketHandler.as_view()),
        path("plain/", lambda request: HttpResponse("plain")),
        MIDDLEWARE=[NOTED],
        WEBSOCKET_VIEW_THREADS=1,
    )
    first = site.open()
    client = site.connect()
    client.send_request("/")
    response = client.read_response()
    assert response.status == 503
    assert b"WEBSOCKET_VIEW_THREADS" in response.body
    site.open("/handler/").send_close()
    plain = site.connect()
    plain.send_request("/plain/")  # a handshake to what speaks no WebSocket
    assert plain.read_response().body == b"plain"
    talk(first)


def test_without_the_app_the_first_request_runs_again(site, monkeypatch):
    """A process has not imported the library when its first handshake comes: nobody is at the door.
    The middleware of that request runs twice, the second time around the view.
    """
    monkeypatch.setattr(WsgirefTakeover, "few_threads", property(lambda takeover: True))
    site.serve(letting_go(view), MIDDLEWARE=[NOTED])  # only the view knows that it may let go
    client = site.open()
    client.join()
    server = notes[0][1]
    assert notes == [
        ("begins", server),
        ("begins", view_threads.NAME),
        ("view", view_threads.NAME),
        ("ends", server),
    ]
    talk(client)
    wait_until(lambda: notes[-1] == ("ends", view_threads.NAME))
