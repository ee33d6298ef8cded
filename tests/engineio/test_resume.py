"""Connections break, at any byte and in both directions: each message arrives once, in order."""

import os

import pytest

from .breaking import BreakingClient
from .conftest import SETTINGS

#: How often connections break.
BREAKS = 1000 if "DWEBSOCKET_TEST_STRESS" in os.environ else 100

PATHS = ["/echo/", "/handler/echo/", "/async/echo/", "/async/handler/echo/"]


@pytest.mark.parametrize("path", PATHS)
def test_websockets_that_break(server, path):
    client = BreakingClient(server, f"{path}?case=engineio-breaks", seed=path)
    client.add(3)
    client.break_websocket()
    while client.breaks < BREAKS // len(PATHS):
        client.add(3)
        client.break_websocket(sid=client.sid, received=len(client.got))
    client.finish()
    assert client.got == client.sent


@pytest.mark.parametrize("path", PATHS[:2])
def test_polls_that_break(server, path):
    client = BreakingClient(server, f"{path}?case=engineio-breaks", seed=path)
    client.open_polls()
    while client.breaks < BREAKS // 2:
        client.add(3)
        getattr(client, client.random.choice(["break_post", "break_poll"]))()
    client.finish()
    assert client.got == client.sent


def test_a_client_that_comes_back_in_time_has_its_messages(new_engine):
    engine = new_engine("/handler/echo/", resume=True)
    engine.open_websocket()
    engine.websocket.reset()
    sid = engine.sid
    response = engine.request("GET", sid=sid, received=0)
    engine.take(response.body)
    assert (engine.sid, engine.opened["received"]) == (sid, 0)
    engine.post("4polled", sent=0)
    engine.post("4polled", sent=0)  # again: its answer was lost
    engine.poll(after=0)
    assert engine.got == ["4polled"]
    assert engine.opened["resume"] == SETTINGS["WEBSOCKET_RESUME_TIMEOUT"]


def test_one_that_comes_too_late_begins_anew(new_impatient_engine, journal):
    engine = new_impatient_engine("/handler/echo/", resume=True)
    engine.open_websocket()
    sid = engine.sid
    engine.websocket.reset()
    assert journal.wait(engine.case, "ended")["close_code"] == 1006
    engine.open_websocket(sid=sid, received=0)
    assert engine.sid != sid
    assert "received" not in engine.opened


def test_one_that_says_more_than_it_can_have_got_is_refused(new_engine):
    engine = new_engine("/echo/", resume=True)
    engine.open_websocket()
    response = engine.request("GET", sid=engine.sid, received=5)
    assert (response.status, response.body) == (400, b'{"code":3,"message":"Bad request"}')


def test_what_waits_for_a_client_that_is_away_is_bounded(new_engine, journal):
    engine = new_engine("/handler/flood/", resume=True)
    engine.open_websocket()
    engine.send("41000000")
    sid = engine.sid
    engine.websocket.reset()
    assert journal.wait(engine.case, "ended")["close_code"] == 1013
    engine.open_websocket(sid=sid, received=0)
    assert engine.sid != sid
