"""Handlers: who is refused, what a call sees, in what order calls come.

Messages, fragments, early bytes, forbidden bytes, both sides' closing: the cases of views run on a
handler, too (the fixture `echo`).
"""

import json

import pytest

from ..raw_client import TEXT, build_frame, build_request
from .test_handshake import MOUNTS, check_exactly_one_101

PATHS = ["/handler/echo/", "/handler/decorated/"]


@pytest.mark.elsewhere(mount="/middleware-last")
@pytest.mark.parametrize("mount", MOUNTS)
@pytest.mark.parametrize("path", PATHS)
def test_exactly_one_101(server, open_websocket, mount, path):
    check_exactly_one_101(open_websocket(mount + path))


@pytest.mark.rows(typical=True)
@pytest.mark.parametrize("mount", MOUNTS[1:])
@pytest.mark.parametrize("path", PATHS)
def test_exactly_one_101_with_accept_all(lenient_server, open_websocket, mount, path):
    check_exactly_one_101(open_websocket(mount + path, lenient_server))


@pytest.mark.elsewhere(offer="other, echo.v1, echo.v2")
@pytest.mark.parametrize(
    ("offer", "chosen"),
    [("echo.v1", "echo.v1"), ("other, echo.v1, echo.v2", "echo.v2"), ("other", None), (None, None)],
)
def test_subprotocols(server, new_client, address, offer, chosen):
    headers = {"Sec-WebSocket-Protocol": offer}
    response = new_client().open(address("/handler/echo/"), headers=headers)
    assert response.headers.get("sec-websocket-protocol") == chosen


@pytest.mark.elsewhere(mount="")
@pytest.mark.rows(proxied=False)  # a request behind a refused one is nginx's to pass on
@pytest.mark.parametrize("frame", [b"", build_frame(TEXT, "early")], ids=["request", "frame"])
@pytest.mark.parametrize("mount", MOUNTS)
def test_mixin_refuses_with_http(server, row, new_client, address, journal, case, mount, frame):
    """And nothing that the client sent behind its handshake is served."""
    client = new_client()
    smuggled = build_request(address("/smuggled/"), client.host, websocket=False)
    early = b"" if row.asgi else frame + smuggled  # an ASGI server refuses what comes too early
    client.send_request(address(mount + "/handler/guarded/"), early=early)
    assert client.read_response().status == 403
    client.read_to_eof()
    assert b" 101 " not in client.received
    assert b" 200 " not in client.received
    assert not journal.events(case, "started")
    assert not journal.events(case, "smuggled")


@pytest.mark.elsewhere(mount="")
@pytest.mark.parametrize("mount", MOUNTS)
def test_mixin_lets_a_user_in(server, open_websocket, session_key, mount):
    headers = {"Cookie": f"sessionid={session_key}"}
    check_exactly_one_101(open_websocket(mount + "/handler/guarded/", headers=headers))


@pytest.mark.rows(pages=True)
def test_plain_http_goes_to_get(server, open_websocket, new_client, address):
    client = new_client()
    client.send_request(address("/handler/with-get/"), websocket=False)
    response = client.read_response()
    assert (response.status, response.body) == (200, b"plain")
    check_exactly_one_101(open_websocket("/handler/with-get/"))


def test_json(server, row, open_websocket, journal, case):
    client = open_websocket("/handler/json/")
    client.send_text('{"a": [1, null, "ü"]}')
    assert json.loads(client.read_text()) == {"got": {"a": [1, None, "ü"]}}
    client.send_close(4001)
    assert client.read_close().close_code == row.answered(4001)
    assert journal.wait(case, "ended")["close_code"] == row.heard(4001)[0]
    assert not journal.events(case, "error")


@pytest.mark.elsewhere(bad="{")
@pytest.mark.parametrize("bad", ["{", "", b"\xff\xfe\x00"], ids=repr)
def test_bad_json(server, row, open_websocket, journal, case, bad):
    """What follows in the same read is not delivered."""
    client = open_websocket("/handler/json/")
    opcode = TEXT if isinstance(bad, str) else 2
    client.send_bytes(build_frame(TEXT, "1") + build_frame(opcode, bad) + build_frame(TEXT, "2"))
    assert json.loads(client.read_text()) == {"got": 1}
    close = client.read_close()
    assert (close.close_code, close.close_reason) == row.shown(1007, "not JSON")
    client.send_close(1007)
    assert client.read_to_eof() == b""
    assert journal.wait(case, "ended")["close_code"] == 1007
    assert [event["error"] for event in journal.events(case, "error")] in (
        ["JSONDecodeError"],
        ["UnicodeDecodeError"],
    )


def test_what_is_left_of_a_request_that_is_not_kept(server, open_websocket, session_key):
    headers = {"Cookie": f"sessionid={session_key}"}
    client = open_websocket("/handler/dropping/lobby/", headers=headers)
    client.send_text("what is left?")
    path, user, kwargs, rest = json.loads(client.read_text())
    assert (path, user, kwargs) == ("/handler/dropping/lobby/", "ada", {"room": "lobby"})
    assert "request.META is gone" in rest
    assert "keep_request" in rest


@pytest.mark.parametrize("mount", MOUNTS[:2])
def test_every_call_runs_in_the_context_of_the_request(server, open_websocket, mount):
    """Whatever an earlier call, or one of another connection in the same thread, has changed."""
    clients = [open_websocket(mount + "/handler/context/") for _ in range(2)]
    others = [open_websocket(mount + "/handler/untouched/") for _ in range(2)]
    for _ in range(2):
        for client in clients:
            client.send_text("where am I?")
            assert json.loads(client.read_text()) == [
                "Ja",
                "Asia/Tokyo",
                "mine",
                f"{mount}/handler/context/",
            ]
        for client in others:
            client.send_text("where am I?")
            assert json.loads(client.read_text()) == [
                "Yes",
                "America/Chicago",
                "none",
                f"{mount}/handler/context/",
            ]


def test_calls_of_one_read_find_nothing_that_another_one_has_changed(server, open_websocket):
    client = open_websocket("/handler/changing/")
    texts = ["leave it", "leave it", "change it", "change it", "leave it"]
    client.send_bytes(b"".join(build_frame(TEXT, text) for text in texts))
    assert [json.loads(client.read_text()) for _ in texts] == [["en-us", "none"]] * 5


def test_database_is_released_after_each_call(
    server, open_websocket, journal, case, wait_for_release
):
    client = open_websocket("/handler/querying/")
    pid = journal.wait(case, "started")["pid"]
    for _ in range(3):
        wait_for_release(pid)
        client.send_text("query")
        assert json.loads(client.read_text()) == [0, 1]
    wait_for_release(pid)


def test_calls_of_one_connection_come_in_order_and_never_overlap(server, open_websocket):
    client = open_websocket("/handler/ordered/")
    texts = [str(number) for number in range(20)]
    # Some in one read, some in reads of their own while a call runs.
    client.send_bytes(b"".join(build_frame(TEXT, text) for text in texts[:10]))
    for text in texts[10:]:
        client.send_text(text)
    assert [client.read_text() for _ in texts] == texts


@pytest.mark.parametrize("count", [1, 3])
def test_waiting_is_for_views(server, open_websocket, count):
    """Also with a further message of the same read at hand."""
    client = open_websocket("/handler/waiting/")
    client.send_bytes(b"".join(build_frame(TEXT, f"{number}") for number in range(count)))
    for number in range(count):
        message, found = json.loads(client.read_text())
        assert message == f"{number}"
        assert len(found) == 5
        for words in found.values():
            assert words.startswith("a handler's messages come to on_message()")
