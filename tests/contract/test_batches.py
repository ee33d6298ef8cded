"""A view that answers a batch of messages, and waits for something else in the middle of it."""

import pytest

from ..raw_client import TEXT, build_frame

# Here a view sleeps.
pytestmark = pytest.mark.rows(patched=True)


def send_batch(client, *texts):
    client.send_bytes(b"".join(build_frame(TEXT, text) for text in texts))


def test_answers_leave_while_the_view_waits(server, open_websocket, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    client = open_websocket("/waiting/")
    send_batch(client, "a", "b", f"until {first}", "c", f"until {second}", "d", "e")
    for file, answers in ((first, "ab"), (second, "c")):
        assert [client.read_text() for _ in answers] == list(answers)
        file.touch()
        assert client.read_text() == f"until {file}"
    assert [client.read_text() for _ in "de"] == ["d", "e"]


def test_a_message_without_an_answer(server, open_websocket):
    client = open_websocket("/waiting/")
    send_batch(client, "a", "b", "nothing")
    assert [client.read_text() for _ in "ab"] == ["a", "b"]
    send_batch(client, "c", "nothing", "d")
    assert [client.read_text() for _ in "cd"] == ["c", "d"]


@pytest.mark.parametrize(("how", "code"), [("return", 1000), ("raise", 1011), ("close", 4000)])
def test_answers_leave_before_the_end(server, row, open_websocket, how, code):
    client = open_websocket("/waiting/")
    send_batch(client, "a", "b", how, "never")
    assert [client.read_text() for _ in "ab"] == ["a", "b"]
    assert client.read_close().close_code == row.shown(code)[0]
    client.send_close(code)
