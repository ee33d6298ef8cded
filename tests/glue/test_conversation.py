"""A handler's calls: what they raise, what is logged of it, what they leave behind."""

import logging
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.core.signals import got_request_exception, request_finished, request_started
from django.db import connection

from dwebsocket import WebSocketHandler
from dwebsocket.upgrade.handler import KeptRequest

from ..raw_client import TEXT, build_frame
from .site import TIMEOUT, wait_until
from .test_handlers import letting_go, way

__all__ = ["way"]


class Timeout(BaseException):
    """Like gevent's and eventlet's."""


@pytest.fixture
def make_handler(reports):
    """A handler whose on_message is the given function, and which reports its end."""

    def make(on_message, **names):
        def on_close(self):
            reports(("close", self.websocket.close_code))

        def on_error(self, error):
            reports(("error", type(error).__name__))

        names = {"on_close": on_close, "on_error": on_error, **names}
        return type("Made", (WebSocketHandler,), {"on_message": on_message, **names})

    return make


def fail(self, message):
    raise ZeroDivisionError(message)


def talk(site, text="go"):
    """Send one message and go through the closing handshake; the code of the Close."""
    client = site.open()
    client.send_text(text)
    while (frame := client.read_frame()).opcode == TEXT:
        pass
    client.send_close(frame.close_code)
    assert client.read_to_eof() == b""
    return frame.close_code


def errors(caplog):
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_an_error_is_logged_as_a_views(site, reports, make_handler, caplog, way):
    told = []

    def receiver(sender, request, **kwargs):
        told.append(request.path)

    got_request_exception.connect(receiver)
    try:
        site.serve(way(make_handler(fail).as_view()))
        assert talk(site) == 1011
        assert [reports.next(), reports.next()] == [("error", "ZeroDivisionError"), ("close", 1011)]
    finally:
        got_request_exception.disconnect(receiver)
    [record] = errors(caplog)
    assert (record.name, record.getMessage()) == ("django.request", "Internal Server Error: /")
    assert record.exc_info[0] is ZeroDivisionError
    assert told == ["/"]


def test_without_its_request_an_error_is_logged_all_the_same(
    site, reports, make_handler, caplog, way
):
    site.serve(way(make_handler(fail, keep_request=False).as_view()))
    assert talk(site) == 1011
    assert [reports.next(), reports.next()] == [("error", "ZeroDivisionError"), ("close", 1011)]
    [record] = errors(caplog)
    assert (record.name, record.getMessage()) == ("django.request", "Internal Server Error: /")
    assert record.exc_info[0] is ZeroDivisionError


def test_a_receivers_own_error_hides_nothing(site, reports, make_handler, caplog, way):
    def receiver(**kwargs):
        raise LookupError("the receiver's own")

    got_request_exception.connect(receiver)
    try:
        site.serve(way(make_handler(fail).as_view()))
        assert talk(site) == 1011
        assert [reports.next(), reports.next()] == [("error", "ZeroDivisionError"), ("close", 1011)]
    finally:
        got_request_exception.disconnect(receiver)
    assert [record.exc_info[0] for record in errors(caplog)] == [LookupError, ZeroDivisionError]


@pytest.mark.parametrize("error", [Timeout, SystemExit, KeyboardInterrupt])
def test_what_is_no_exception_does_not_end_the_loop(site, reports, make_handler, caplog, error):
    def on_message(self, message):
        raise error

    site.serve(letting_go(make_handler(on_message).as_view()))
    for _ in range(3):
        assert talk(site) == 1011
        assert [reports.next(), reports.next()] == [("error", error.__name__), ("close", 1011)]
    assert [record.exc_info[0] for record in errors(caplog)] == [error] * 3


def test_last_words_to_a_peer_that_has_gone_are_no_error(site, reports, caplog, way):
    class Polite(WebSocketHandler):
        def on_message(self, message):
            self.send("working")
            raise ZeroDivisionError

        def on_error(self, error):
            self.websocket.close()
            self.send("sorry")

        def on_close(self):
            reports("close")
            self.send("goodbye")

    site.serve(way(Polite.as_view()))
    assert talk(site) == 1000
    assert reports.next() == "close"
    [record] = errors(caplog)
    assert record.exc_info[0] is ZeroDivisionError


def test_what_follows_an_error_is_not_delivered(site, reports, make_handler, way):
    delivered = []

    def on_message(self, message):
        delivered.append(message)
        fail(self, message)

    site.serve(way(make_handler(on_message).as_view()))
    client = site.open()
    client.send_bytes(b"".join(build_frame(TEXT, text) for text in "abc"))
    assert client.read_close().close_code == 1011
    client.send_text("d")
    client.send_close(1011)
    client.read_to_eof()
    assert [reports.next(), reports.next()] == [("error", "ZeroDivisionError"), ("close", 1011)]
    assert delivered == ["a"]
    assert reports.all() == []


def test_calls_give_their_database_connections_back(site, reports):
    class Querying(WebSocketHandler):
        def on_open(self):
            self.query()

        def on_message(self, message):
            self.query()

        def on_close(self):
            self.query()

        def query(self):
            reports(connection.connection is None)
            get_user_model().objects.count()

    site.serve(letting_go(Querying.as_view()))
    client = site.open()
    assert reports.next() is True
    for _ in range(3):
        client.send_text("query")
        assert reports.next() is True
    client.send_close()
    client.read_close()
    assert reports.next() is True


def test_requests_signals_are_the_requests_own(site, reports, make_handler, way):
    """Not sent for a call: receivers count requests, close caches, and so on."""
    counts = {"started": 0, "finished": 0}

    def started(**kwargs):
        counts["started"] += 1

    def finished(**kwargs):
        counts["finished"] += 1

    request_started.connect(started)
    request_finished.connect(finished)
    try:
        site.serve(way(make_handler(lambda self, message: self.close()).as_view()))
        assert talk(site) == 1000
        assert reports.next() == ("close", 1000)
        wait_until(lambda: counts["finished"])
    finally:
        request_started.disconnect(started)
        request_finished.disconnect(finished)
    assert counts == {"started": 1, "finished": 1}


def test_what_is_kept_of_a_request(user):
    request = SimpleNamespace(path="/here/", user=user)
    kept = KeptRequest(request)
    assert (kept.path, kept.user) == ("/here/", user)
    with pytest.raises(AttributeError, match=r"request\.GET is gone: with keep_request = False"):
        kept.GET  # noqa: B018
    assert KeptRequest(SimpleNamespace(path="/here/")).user is None


def test_the_memory_of_a_request_is_given_back(site, reports):
    """Nothing that lives as long as the connection holds it."""
    import gc
    import weakref

    class Dropping(WebSocketHandler):
        keep_request = False

        def on_open(self):
            reports(weakref.ref(self.request))

    site.serve(letting_go(Dropping.as_view()))
    client = site.open()
    request = reports.next()
    client.send_frame(9, b"the request has ended")
    client.read_frame(TIMEOUT)
    wait_until(lambda: gc.collect() is not None and request() is None)
