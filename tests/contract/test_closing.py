"""The closing handshake, from both sides, and clients that vanish."""

from contextlib import nullcontext, suppress
from urllib.parse import quote

import pytest

from ..raw_client import CLOSE, TEXT, Frame, build_close, build_frame


@pytest.mark.elsewhere("foreign", code=4000)
@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, ""), (1000, "done"), (1001, ""), (4000, "Grüße, 日本"), (3000, "x" * 123)],
)
def test_server_closes(server, row, open_websocket, journal, case, code, reason):
    client = open_websocket(f"/close/?code={code}&reason={quote(reason)}")
    close = client.read_close()
    assert (close.close_code, close.close_reason) == row.shown(code, reason)
    client.send_close(code)
    assert client.read_to_eof() == b""
    results = journal.wait(case, "results")
    assert results["closed"] == [True, True, False]
    assert results["send"] == "ConnectionClosed"
    ended = journal.wait(case, "ended")
    assert (ended["outcome"], ended["close_code"]) == ("returned", code)


def test_disconnect_is_close(server, open_websocket):
    client = open_websocket("/disconnect/")
    assert client.read_close().close_code == 1000
    client.send_close()
    assert client.read_to_eof() == b""


def test_server_does_not_wait_long_for_the_answer(server, row, open_websocket, journal, case):
    client = open_websocket("/close/?code=4001")
    assert client.read_close().close_code == 4001
    if row.gives_up_soon:
        assert client.read_to_eof(timeout=15) == b""  # WEBSOCKET_CLOSE_TIMEOUT is 1.5
    assert journal.wait(case, "ended")["outcome"] == "returned"


def test_messages_before_the_clients_answer_do_not_disturb(patient, server, row, open_websocket):
    client = open_websocket("/close/?code=4001")
    client.read_close()
    crossed = build_frame(TEXT, "crossed the Close") * 100
    send_behind_the_close(row, client, crossed + build_close(4001))
    assert client.read_to_eof() == b""
    assert not client.reset_by_peer or not row.ends_gently


def send_behind_the_close(row, client, data):
    with nullcontext() if row.waits_for_close else suppress(ConnectionError):
        client.send_bytes(data)


def test_state_while_open(server, open_websocket, journal, case):
    open_websocket("/state/")
    results = journal.wait(case, "results")
    assert results["closed"] == [False, False, True]
    assert (results["code"], results["reason"], results["subprotocol"]) == (None, None, None)
    assert results["hashable"] == 1


@pytest.mark.elsewhere("foreign", code=4999)
@pytest.mark.parametrize(
    ("code", "reason"), [(1000, ""), (1001, "gone"), (4999, "Grüße"), (1011, ""), (1012, "")]
)
def test_client_closes(server, row, open_websocket, journal, case, code, reason, echo):
    client = open_websocket(echo.path)
    client.send_close(code, reason)
    assert client.read_close().close_code == row.answered(code)
    assert client.read_to_eof() == b""
    ended = journal.wait(case, "ended")
    assert ended["outcome"] == echo.outcome
    assert (ended["close_code"], ended["close_reason"]) == row.heard(code, reason)


def test_client_closes_without_a_code(server, row, open_websocket, journal, case, echo):
    client = open_websocket(echo.path)
    client.send_frame(CLOSE)
    answer = client.read_close()
    assert answer == Frame(CLOSE, b"") or (row.foreign and answer.close_code == 1000)
    assert client.read_to_eof() == b""
    assert journal.wait(case, "ended")["close_code"] == row.heard(1005)[0]


@pytest.mark.rows(foreign=False)  # some servers hang up before anybody can answer
def test_messages_before_the_close_are_answered(server, open_websocket, echo):
    client = open_websocket(echo.path)
    client.send_bytes(build_frame(TEXT, "a") + build_frame(TEXT, "b") + build_close(1000))
    assert client.read_text() == "a"
    assert client.read_text() == "b"
    assert client.read_close().close_code == 1000
    assert client.read_to_eof() == b""


@pytest.mark.parametrize("path", ["/keeping/", "/handler/keeping/"])
def test_messages_before_the_close_are_heard(server, open_websocket, journal, case, path):
    client = open_websocket(path)
    client.send_bytes(b"".join(build_frame(TEXT, letter) for letter in "abc") + build_close(1000))
    client.read_close()
    assert client.read_to_eof() == b""
    assert journal.wait(case, "kept")["messages"] == ["a", "b", "c"]


@pytest.mark.elsewhere(path=["/echo/", "/handler/echo/"])
@pytest.mark.parametrize("leave", ["hang_up", "reset"])
@pytest.mark.parametrize("path", ["/echo/", "/echo/wait/", "/read/end/", "/handler/echo/"])
def test_client_vanishes(server, row, open_websocket, journal, case, path, leave):
    client = open_websocket(path)
    client.send_text("last words")
    if path != "/read/end/":
        assert client.read_text() == "last words"
    getattr(client, leave)()
    ended = journal.wait(case, "ended", timeout=15)
    assert ended["close_code"] in row.vanished


@pytest.mark.elsewhere(leave="reset")
@pytest.mark.parametrize("leave", ["hang_up", "reset"])
def test_client_vanishes_in_mid_frame(server, row, open_websocket, journal, case, leave, echo):
    client = open_websocket(echo.path)
    client.send_bytes(build_frame(TEXT, "never whole")[:-3])
    getattr(client, leave)()
    ended = journal.wait(case, "ended", timeout=15)
    assert ended["outcome"] == echo.outcome
    assert ended["close_code"] in row.vanished


def test_calls_after_the_end(server, row, open_websocket, journal, case):
    client = open_websocket("/after-the-end/")
    client.send_bytes(build_frame(TEXT, "a") + build_close(1000))
    client.read_close()
    assert client.read_to_eof() == b""
    results = journal.wait(case, "results")
    assert results["messages"] == ["a"]
    assert results["closed"] == [True, True, False]
    assert results["has_messages"] == [False, 0]
    for name in ("wait", "read", "send"):
        assert results[name] == "ConnectionClosed, EOFError: True", name
    assert journal.wait(case, "ended")["close_code"] == row.heard(1000)[0]


@pytest.mark.rows(foreign=False, proxied=False)  # nginx ends both directions when we end ours
def test_what_follows_a_breach_does_not_tear_our_close_away(open_websocket, echo):
    client = open_websocket(echo.path)
    client.send_frame(3, b"an opcode that is reserved")
    client.send_bytes(bytes(4 << 20))  # takes long enough for the server to have closed
    assert client.read_close().close_code == 1002
