"""However a view ends: one Close, not one byte of HTTP behind it, and the right log."""

import logging

import pytest
from django.http import HttpResponse, JsonResponse

from dwebsocket import ConnectionClosed, require_websocket

from ..raw_client import TEXT, build_close, build_frame, build_request


def returns_none(request):
    request.websocket.send("work")


def returns_response(request):
    request.websocket.send("work")
    return HttpResponse("never seen", status=418)


def returns_json(request):
    request.websocket.send("work")
    return JsonResponse({"never": "seen"})


def lets_connection_closed_escape(request):
    request.websocket.send("work")
    raise ConnectionClosed(1001, "gone")


def closes_itself(request):
    request.websocket.send("work")
    request.websocket.close(4000, "enough")


def raises(request):
    request.websocket.send("work")
    raise LookupError("lost the key")


def raises_system_exit(request):
    request.websocket.send("work")
    raise SystemExit(3)


def sends_after_closing(request):
    closes_itself(request)
    request.websocket.send("too late")


@pytest.mark.parametrize(
    ("view", "code", "reason"),
    [
        (returns_none, 1000, ""),
        (returns_response, 1000, ""),
        (returns_json, 1000, ""),
        (lets_connection_closed_escape, 1000, ""),
        (closes_itself, 4000, "enough"),
        (sends_after_closing, 4000, "enough"),
    ],
)
def test_normal_ends(site, caplog, view, code, reason):
    caplog.set_level(logging.INFO)
    site.serve(require_websocket(view))
    client = site.open()
    assert client.read_text() == "work"
    close = client.read_close()
    assert (close.close_code, close.close_reason) == (code, reason)
    client.send_close(code)
    assert client.read_to_eof() == b""
    client.join()
    opened, ended, *further = [record.getMessage() for record in caplog.records]
    assert opened.startswith("WebSocket opened: /, ")
    assert ended.startswith("WebSocket ended: /, ")
    answers = view in (returns_response, returns_json)
    assert [" has sent its 101, and then answered " in line for line in further] == [True] * answers


def test_an_error_is_1011_and_djangos_error_log(site, caplog):
    site.serve(require_websocket(raises))
    client = site.open()
    assert client.read_text() == "work"
    close = client.read_close()
    assert (close.close_code, close.close_reason) == (1011, "")
    client.send_close(1011)
    assert client.read_to_eof() == b""
    client.join()
    [record] = caplog.records
    assert record.name == "django.request"
    assert record.exc_info[0] is LookupError
    assert str(record.exc_info[1]) == "lost the key"


# wsgiref takes SystemExit for an error and tries to answer it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_system_exit_says_going_away(site):
    site.serve(require_websocket(raises_system_exit))
    client = site.open()
    assert client.read_text() == "work"
    assert client.read_close().close_code == 1001
    assert client.read_to_eof() == b""  # without an answer from us: nothing holds up the server
    client.join()


def test_the_client_leaves_and_the_view_returns(site, reports):
    @require_websocket
    def view(request):
        reports(list(request.websocket))
        reports((request.websocket.close_code, request.websocket.close_reason))

    site.serve(view)
    client = site.open()
    client.send_text("last words")
    client.send_close(1001, "bye")
    close = client.read_close()
    assert close.close_code == 1001
    assert client.read_to_eof() == b""
    assert reports.next() == ["last words"]
    assert reports.next() == (1001, "bye")


def test_what_arrives_behind_our_close_is_no_request(site):
    served = []

    @require_websocket
    def view(request):
        served.append(request.path)

    site.serve(view)
    client = site.open()
    # In one piece: the connection ends with our Close.
    client.send_bytes(build_frame(TEXT, "unread") + build_close() + build_request("/", client.host))
    assert client.read_close().close_code == 1000
    assert client.read_to_eof() == b""
    client.join()
    assert served == ["/"]
    assert client.received.count(b"HTTP/1.1") == 1


def test_a_peer_that_does_not_answer_the_close_is_left(site):
    site.serve(require_websocket(returns_none), WEBSOCKET_CLOSE_TIMEOUT=0.1)
    client = site.open()
    assert client.read_text() == "work"
    assert client.read_close().close_code == 1000
    assert client.read_to_eof() == b""
    client.join()
