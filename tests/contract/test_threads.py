"""send() from threads that the view started."""

import pytest

from ..raw_client import TEXT

pytestmark = pytest.mark.rows(patched=True)


def test_send_from_another_thread(server, open_websocket):
    client = open_websocket("/threads/one/")
    assert client.read_text() == "from a thread"
    client.send_text("and the view goes on")
    assert client.read_text() == "and the view goes on"


def test_frames_of_two_threads_do_not_interleave(server, open_websocket):
    client = open_websocket("/threads/two/")
    frames = [client.read_frame(timeout=15) for _ in range(20)]
    assert all(frame.opcode == TEXT and frame.fin for frame in frames)
    letters = [frame.payload[:1] for frame in frames]
    assert [frame.payload for frame in frames] == [letter * 100_000 for letter in letters]
    assert sorted(letters) == [b"a"] * 10 + [b"b"] * 10
    assert client.read_close().close_code == 1000
