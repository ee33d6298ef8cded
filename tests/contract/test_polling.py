"""wait(timeout), read(), has_messages(), count_messages(), fileno(): none blocks too long."""

import json
import statistics
import time

import pytest

from ..raw_client import PING, PONG, TEXT, Frame, build_frame


def test_wait_with_timeout(server, open_websocket, journal, case):
    client = open_websocket("/wait-timeout/")
    assert client.read_text() == "timed out"
    assert 0.15 < journal.wait(case, "timeout")["seconds"] < 5  # on a busy machine
    client.send_text("after the time-out")
    assert client.read_text() == "after the time-out"
    client.send_close()
    end = journal.wait(case, "end")
    assert (end["first"], end["second"]) == (None, "ConnectionClosed")


def test_timeout_loses_nothing_of_half_a_frame(server, open_websocket):
    frame = build_frame(TEXT, "in two halves")
    client = open_websocket("/wait-timeout/")
    client.send_bytes(frame[:7])
    assert client.read_text() == "timed out"
    client.send_bytes(frame[7:])
    assert client.read_text() == "in two halves"


@pytest.mark.rows(asgi=True, typical=True)
def test_waiting_in_the_event_loop_is_refused(server, open_websocket):
    client = open_websocket("/wait-in-loop/")
    assert "await request.websocket.areceive()" in client.read_text()


def test_read_never_blocks(server, open_websocket, journal, case):
    frame = build_frame(TEXT, "later")
    client = open_websocket("/read/")
    client.send_text("now")
    assert client.read_text() == "nothing"
    client.send_bytes(build_frame(TEXT, "now") + frame[:5])
    assert client.read_text() == "nothing"
    client.send_bytes(frame[5:])
    assert client.read_close().close_code == 1000  # wait() got "later", so the view ended
    assert all(event["seconds"] < 5 for event in journal.events(case, "read"))


@pytest.mark.rows(pages=True)
@pytest.mark.rows(foreign=False)  # a message is here when the server has handed it over
def test_read_finds_a_whole_message(server, open_websocket):
    client = open_websocket("/read/")
    for number in range(5):
        client.send_bytes(build_frame(TEXT, "now") + build_frame(TEXT, f"message {number}"))
        assert client.read_text() == f"message {number}"


def test_reading_loop_ends_with_the_connection(server, open_websocket, journal, case):
    client = open_websocket("/read/end/")
    client.send_text("a message")
    client.send_close(1000)
    assert client.read_close().close_code == 1000
    assert client.read_to_eof() == b""
    found = journal.wait(case, "found")["found"]
    assert [item for item in found if item == "a message"] == ["a message"]
    assert found[-1] == "nothing"  # the fallback, then ConnectionClosed
    assert journal.wait(case, "ended")["outcome"] == "ConnectionClosed"


def test_messages_are_counted(server, open_websocket):
    client = open_websocket("/count/")
    assert json.loads(client.read_text()) == [False, 0]
    client.send_bytes(b"".join(build_frame(TEXT, letter) for letter in "abc"))
    assert json.loads(client.read_text()) == [True, 3]
    assert json.loads(client.read_text()) == [False, 0, "a", "b", "c"]
    client.send_text("d")
    assert client.read_text() == "d"


def test_half_a_frame_is_not_counted(server, open_websocket):
    client = open_websocket("/count/")
    client.read_text()
    frames = b"".join(build_frame(TEXT, letter) for letter in "abcd")
    client.send_bytes(frames[:-2])
    assert json.loads(client.read_text()) == [True, 3]
    assert json.loads(client.read_text()) == [False, 0, "a", "b", "c"]
    client.send_bytes(frames[-2:])
    assert client.read_text() == "d"


def test_select_takes_the_websocket(server, open_websocket):
    client = open_websocket("/select/")
    assert client.read_text() == "idle"
    client.send_text("first")
    assert client.read_text() == "first"
    client.send_bytes(build_frame(TEXT, "second") + build_frame(TEXT, "third"))
    assert client.read_text() == "second"
    assert client.read_text() == "third"


def test_select_wakes_up_at_the_end(server, open_websocket, journal, case):
    client = open_websocket("/select/")
    assert client.read_text() == "idle"
    client.send_close()
    assert client.read_close().close_code == 1000
    assert journal.wait(case, "ended")["outcome"] == "returned"


def test_blocking_wait_answers_pings_at_once(server, open_websocket):
    client = open_websocket("/echo/wait/")
    seconds = []
    for number in range(20):
        started = time.monotonic()
        client.send_frame(PING, b"%d" % number)
        assert client.read_frame() == Frame(PONG, b"%d" % number)
        seconds.append(time.monotonic() - started)
    assert statistics.median(seconds) < 0.1  # a busy machine may hold up some
