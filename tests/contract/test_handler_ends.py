"""However a handler's connection ends: one on_close, one Close, one line in the log."""

import re

import pytest

from ..raw_client import TEXT, build_close, build_frame
from ..servers.process import wait_until
from .test_after_the_view import check_not_served, smuggle
from .test_closing import send_behind_the_close

# (where, how): the code of the Close, how often on_error is called.
ENDINGS = {
    ("open", "raising"): (1011, 1),
    ("message", "raising"): (1011, 1),
    ("message", "exiting"): (1011, 1),
    ("message", "404"): (1011, 1),
    ("error", "raising"): (1011, 1),
    ("close", "raising"): (4000, 0),
    ("close", "exiting"): (4000, 0),
    ("open", "closing"): (4000, 0),
    ("message", "closing"): (4000, 0),
    ("open", "sending"): (4000, 0),
    ("message", "sending"): (4000, 0),
    ("error", "closing"): (4000, 1),
}
RAISED = {
    ("open", "raising"): 1,
    ("message", "raising"): 1,
    ("message", "exiting"): 1,
    ("message", "404"): 0,
    ("error", "raising"): 2,
    ("error", "closing"): 1,
    ("close", "raising"): 1,
    ("close", "exiting"): 1,
}
each = pytest.mark.parametrize(("where", "how"), ENDINGS, ids=map("-".join, ENDINGS))


def open_ending(open_websocket, path, where):
    """What the client sees before the Close; three messages at once, one of which is delivered."""
    client = open_websocket(path)
    if where != "open":
        client.send_bytes(build_frame(TEXT, "go") * 3)
        assert client.read_text() == "work"
    return client


@pytest.mark.elsewhere(where="message", how=["raising", "closing"])
@each
def test_one_close_and_one_on_close(
    server, row, open_websocket, address, journal, case, where, how
):
    code, errors = ENDINGS[where, how]
    mark = server.log.mark()
    path = f"/handler/ending/{where}/{how}/{case}/"
    client = open_ending(open_websocket, path, where)
    assert client.read_close().close_code == row.shown(code)[0]
    send_behind_the_close(row, client, build_close(code) + smuggle(client, address))
    assert client.read_to_eof() == b""
    check_not_served(journal, case)
    assert journal.wait(case, "ended")["close_code"] == code
    assert len(journal.events(case, "error")) == errors
    check_logged(server, mark, path, RAISED.get((where, how), 0))
    assert len(journal.events(case, "ended")) == 1


def check_logged(server, mark, path, count):
    """Each error once, as Django logs a view's."""
    pattern = f"^ERROR django.request: Internal Server Error: {re.escape(path)}$"

    def found():
        return len(re.findall(pattern, server.log.text(mark), re.M))

    wait_until(lambda: found() >= count, f"{count} times {pattern!r}")
    assert found() == count, server.log.text(mark)


@pytest.mark.rows(typical=True)
@pytest.mark.elsewhere(where="message")
@pytest.mark.parametrize("where", ["open", "message", "close"])
def test_debug_page_does_not_leak(lenient_server, row, open_websocket, journal, case, where):
    def open_there(path):
        return open_websocket(path, lenient_server)

    client = open_ending(open_there, f"/handler/ending/{where}/raising/", where)
    assert client.read_close().close_code == row.shown(ENDINGS[where, "raising"][0])[0]
    client.send_close()
    assert client.read_to_eof() == b""
    journal.wait(case, "ended")


@pytest.mark.elsewhere(where="message", how="raising")
@pytest.mark.parametrize("leave", ["hang_up", "reset"])
@each
def test_client_that_left_meanwhile(server, row, open_websocket, journal, case, where, how, leave):
    client = open_websocket(f"/handler/ending/{where}/{how}/")
    if where != "open":
        client.send_text("go")
    getattr(client, leave)()
    journal.wait(case, "ended")


def test_others_do_not_notice(server, open_websocket):
    others = [open_websocket("/handler/echo/") for _ in range(3)]
    for where, how in [("message", "raising"), ("message", "exiting"), ("close", "exiting")] * 4:
        client = open_ending(open_websocket, f"/handler/ending/{where}/{how}/", where)
        client.read_close()
        client.send_close()
        client.read_to_eof()
        for other in others:
            other.send_text("still here")
            assert other.read_text() == "still here"


def test_state_after_close(server, open_websocket, journal, case):
    client = open_websocket("/handler/closed/")
    client.send_text("close")
    assert client.read_close().close_code == 4000
    client.send_close(4000)
    assert client.read_to_eof() == b""
    results = journal.wait(case, "results")
    assert results["before"] == [False, False, True]
    assert results["after"] == [True, True, False]
    assert "closed" in results["sent"]
    assert journal.wait(case, "ended")["close_code"] == 4000


@pytest.mark.rows(typical=True)  # it is our thread that looks after it
def test_server_does_not_wait_long_for_the_answer(server, row, open_websocket, journal, case):
    client = open_websocket("/handler/ending/message/closing/")
    client.send_text("go")
    assert client.read_text() == "work"
    assert client.read_close().close_code == 4000
    if row.gives_up_soon:
        assert client.read_to_eof(timeout=15) == b""  # WEBSOCKET_CLOSE_TIMEOUT is 1.5
    journal.wait(case, "ended")


def test_messages_before_the_clients_answer_do_not_disturb(
    patient, server, row, open_websocket, journal, case
):
    client = open_websocket("/handler/ending/message/closing/")
    client.send_text("go")
    assert client.read_text() == "work"
    assert client.read_close().close_code == 4000
    crossed = build_frame(TEXT, "crossed the Close") * 100
    send_behind_the_close(row, client, crossed + build_close(4000))
    assert client.read_to_eof() == b""
    assert not client.reset_by_peer or not row.ends_gently
    assert journal.wait(case, "ended")["close_code"] == 4000
