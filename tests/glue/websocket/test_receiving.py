"""wait, read, has_messages, count_messages, iteration, wait_json."""

import json
import threading
import time

import pytest

from dwebsocket import ConnectionClosed

from ...raw_client import BINARY, PING, TEXT, build_close, build_frame
from ..site import TIMEOUT, wait_until


def frames(*texts):
    return b"".join(build_frame(TEXT, text) for text in texts)


def test_messages_keep_type_and_order(pair):
    websocket, peer = pair
    peer.send_frame(TEXT, "\u20ac")
    peer.send_frame(BINARY, b"\xff")
    peer.send_frame(TEXT, "")
    assert [websocket.wait() for _ in range(3)] == ["\u20ac", b"\xff", ""]


def test_wait_0_polls(pair):
    websocket, peer = pair
    with pytest.raises(TimeoutError, match=r"in time|within"):
        websocket.wait(0)
    peer.send_text("here")
    wait_until(websocket.has_messages)
    assert websocket.wait(0) == "here"


def test_wait_0_finds_what_is_in_the_socket(pair):
    websocket, peer = pair
    peer.send_text("here")
    assert websocket.wait(0) == "here"  # a socket pair delivers at once


def test_wait_ends_in_time(pair):
    websocket, _ = pair
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"in time|within"):
        websocket.wait(0.05)
    assert time.monotonic() - started >= 0.05


@pytest.mark.parametrize("timeout", [None, -1, 30, 30.5])
def test_wait_blocks_until_a_message_comes(pair, timeout):
    websocket, peer = pair
    threading.Timer(0.05, peer.send_text, ["late"]).start()
    assert websocket.wait(timeout) == "late"


def test_control_frames_do_not_stretch_the_timeout(pair):
    websocket, peer = pair
    peer.send_frame(PING, b"x")
    with pytest.raises(TimeoutError):
        websocket.wait(0.05)


def test_closed_is_told_once_then_raised(pair):
    websocket, peer = pair
    peer.send_close(4000, "bye")
    assert websocket.wait() is None
    for wait in (websocket.wait, lambda: websocket.wait(0), websocket.read, websocket.wait_json):
        with pytest.raises(ConnectionClosed) as caught:
            wait()
        assert (caught.value.code, caught.value.reason) == (4000, "bye")


def test_what_came_before_the_close_is_read_first(pair):
    websocket, peer = pair
    peer.send_bytes(frames("a", "b") + build_close())
    assert [websocket.wait(), websocket.wait(), websocket.wait()] == ["a", "b", None]


def test_read_never_blocks(pair):
    websocket, peer = pair
    assert websocket.read() is None
    assert websocket.read("nothing") == "nothing"
    third = build_frame(TEXT, "c")
    peer.send_bytes(frames("a", "b") + third[:4])
    assert [websocket.read() for _ in range(3)] == ["a", "b", None]
    peer.send_bytes(third[4:])
    assert [websocket.read() for _ in range(2)] == ["c", None]


def test_read_says_closed_once(pair):
    websocket, peer = pair
    peer.send_bytes(frames("a") + build_close())
    assert websocket.read("nothing") == "a"
    assert websocket.read("nothing") == "nothing"
    with pytest.raises(ConnectionClosed):
        websocket.read("nothing")


def test_count(pair):
    websocket, peer = pair
    assert (websocket.count_messages(), websocket.has_messages()) == (0, False)
    peer.send_bytes(frames("a", "b", "c"))
    assert (websocket.count_messages(), websocket.has_messages()) == (3, True)
    websocket.wait()
    assert websocket.count_messages() == 2
    peer.send_bytes(frames("d")[:3])
    assert websocket.count_messages() == 2


def test_count_after_the_end(pair):
    websocket, peer = pair
    peer.send_bytes(frames("a") + build_close())
    assert websocket.count_messages() == 1
    assert websocket.closed
    assert websocket.has_messages()
    assert websocket.read() == "a"
    assert (websocket.count_messages(), websocket.has_messages()) == (0, False)


def test_iteration(pair):
    websocket, peer = pair
    peer.send_bytes(frames("a", "b") + build_close())
    assert list(websocket) == ["a", "b"]
    assert list(websocket) == []
    with pytest.raises(ConnectionClosed):
        websocket.wait()


def test_a_broken_off_iteration_goes_on(pair):
    websocket, peer = pair
    peer.send_bytes(frames("a", "b", "c") + build_close())
    assert next(iter(websocket)) == "a"
    assert websocket.wait() == "b"
    assert list(websocket) == ["c"]


def test_wait_json(pair):
    websocket, peer = pair
    peer.send_text(json.dumps({"a": [1, None]}))
    peer.send_frame(BINARY, b'"bytes work"')
    assert websocket.wait_json() == {"a": [1, None]}
    assert websocket.wait_json(1) == "bytes work"
    with pytest.raises(TimeoutError):
        websocket.wait_json(0)


@pytest.mark.parametrize("bad", ["", "{", "hello", "[1,]"])
def test_bad_json_is_a_value_error_and_the_connection_lives(pair, bad):
    websocket, peer = pair
    peer.send_text(bad)
    with pytest.raises(ValueError, match=r".+"):
        websocket.wait_json()
    peer.send_text("[1]")
    assert websocket.wait_json() == [1]


def test_json_after_the_end_is_none(pair):
    websocket, peer = pair
    peer.send_close()
    assert websocket.wait_json() is None


def in_threads(count, function):
    threads = [threading.Thread(target=function, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def join(threads):
    for thread in threads:
        thread.join(TIMEOUT)
        assert not thread.is_alive()


def test_two_waiting_threads_share_the_messages(pair):
    websocket, peer = pair
    got = []
    threads = in_threads(2, lambda: got.append(websocket.wait()))
    peer.send_bytes(frames("a", "b"))
    join(threads)
    assert sorted(got) == ["a", "b"]


def test_four_iterating_threads_lose_nothing_and_all_end(pair):
    websocket, peer = pair
    got = []

    def drain():
        for message in websocket:
            got.append(message)

    threads = in_threads(4, drain)
    numbers = [str(number) for number in range(2000)]
    for start in range(0, 2000, 100):
        peer.send_bytes(frames(*numbers[start : start + 100]))
    peer.send_close()
    join(threads)
    assert sorted(got, key=int) == numbers


def test_a_second_waiter_times_out_while_the_first_reads_on(pair):
    websocket, peer = pair
    got = []
    threads = in_threads(1, lambda: got.append(websocket.wait()))
    wait_until(lambda: websocket._read_lock.locked())
    with pytest.raises(TimeoutError, match=r"within 0\.02"):
        websocket.wait(0.02)
    assert websocket.read("busy") == "busy"
    assert websocket.count_messages() == 0
    assert not websocket.closed
    peer.send_text("for the first")
    join(threads)
    assert got == ["for the first"]


def test_close_wakes_a_waiting_thread(pair):
    websocket, peer = pair
    got = []
    threads = in_threads(1, lambda: got.append(websocket.wait()))
    wait_until(lambda: websocket._read_lock.locked())
    peer.send_close()
    join(threads)
    assert got == [None]


def test_our_own_close_ends_reading(pair):
    websocket, peer = pair
    threading.Timer(0, peer.send_close).start()
    websocket.close()
    assert websocket.wait() is None
    with pytest.raises(ConnectionClosed):
        websocket.wait()
