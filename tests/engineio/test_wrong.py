"""What clients do wrong: each has its answer, costs little, and hits no other session."""

import os

import pytest

from ..servers.process import wait_until

JSON = b'{"code":%d,"message":"%s"}'
LIMIT = (1 << 18) * 4 // 3 + 65536


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("?EIO=3&transport=polling", 5, b"Unsupported protocol version"),
        ("?EIO=4", 0, b"Transport unknown"),
        ("?EIO=4&transport=webtransport", 0, b"Transport unknown"),
        ("?EIO=4&transport=websocket", 3, b"Bad request"),
        ("?EIO=4&transport=polling&j=0", 3, b"Bad request"),
        ("?EIO=4&transport=polling&sid=none", 1, b"Session ID unknown"),
        ("?EIO=4&transport=polling&sid=", 1, b"Session ID unknown"),
    ],
)
@pytest.mark.parametrize("path", ["/echo/", "/handler/echo/", "/async/echo/"])
def test_queries(new_engine, path, query, code, message):
    client = new_engine(path).connect()
    client.send_request(path + query, websocket=False)
    response = client.read_response()
    assert (response.status, response.body) == (400, JSON % (code, message))
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_methods(new_engine, method):
    response = new_engine("/echo/").request(method, b"")
    assert (response.status, response.body) == (400, JSON % (2, b"Bad handshake method"))


@pytest.mark.parametrize(
    "body", [b"abc", b"", b"\xff", b"4a\x1e", b"b*", b"9", b"0{}", b"1x", b"4\xed\xa0\x80"]
)
def test_what_is_no_packet_ends_the_session(new_engine, journal, body):
    engine = new_engine("/echo/")
    engine.open_polls()
    response = engine.request("POST", body, sid=engine.sid)
    assert (response.status, response.body) == (400, JSON % (3, b"Bad request"))
    assert engine.request(sid=engine.sid).status == 400
    assert journal.wait(engine.case, "ended")["close_code"] == 1002


@pytest.mark.parametrize("length", [str(LIMIT + 1), "1000000000000", None])
def test_a_body_that_is_too_long_is_not_read(new_engine, length):
    engine = new_engine("/echo/")
    engine.open_polls()
    client = engine.connect()
    client.send_request(
        engine.url("polling", sid=engine.sid),
        method="POST",
        headers=[("Content-Length", length)],
        websocket=False,
    )
    assert client.read_response().status in (400, 411, 413)
    engine.post("4hello")
    assert engine.poll_until(1) == ["4hello"]


def test_the_longest_body_is(new_engine):
    engine = new_engine("/echo/")
    engine.open_polls()
    engine.post(bytes(1 << 18))
    assert engine.poll_until(1) == [bytes(1 << 18)]


@pytest.mark.parametrize("query", [{"received": "x"}, {"after": "-1"}, {"after": "9" * 30}])
def test_counts(new_engine, query):
    engine = new_engine("/echo/", resume=True)
    engine.open_polls()
    assert engine.request(sid=engine.sid, **query).status == 400
    engine.post("4hello", sent=0)
    assert "4hello" in engine.poll(after=0)


def test_more_than_was_sent_is_not_skipped(new_engine):
    engine = new_engine("/echo/", resume=True)
    engine.open_polls()
    assert engine.request("POST", b"4hello", sid=engine.sid, sent=1).status == 400
    engine.post("4hello", sent=0)


def test_two_polls_at_once_end_the_session(new_engine):
    engine = new_engine("/echo/")
    engine.open_polls()
    polls = [engine.ask(sid=engine.sid) for _ in range(2)]  # either may come first
    answers = sorted((poll.read_response() for poll in polls), key=lambda answer: answer.status)
    assert [answer.status for answer in answers] == [200, 400]
    assert answers[0].body == b"1"
    assert engine.request(sid=engine.sid).status == 400


def test_those_of_a_client_that_counts_replace_each_other(new_engine):
    engine = new_engine("/echo/", resume=True)
    engine.open_polls()
    polls = [engine.ask(sid=engine.sid, after=0) for _ in range(3)]
    wait_until(lambda: sum(poll.wait_readable(0) for poll in polls) == 2, "two are replaced")
    engine.post("4hello", sent=0)
    assert sorted(poll.read_response().body for poll in polls) == [b"4hello", b"6", b"6"]


def test_a_session_that_nobody_polls_ends(new_impatient_engine, journal):
    engine = new_impatient_engine("/echo/")
    engine.open_polls()
    assert journal.wait(engine.case, "ended")["close_code"] == 1006
    assert engine.request(sid=engine.sid).status == 400


def of_half_a_buffer(gate):
    return f"4{gate}".ljust(1 << 17)


def test_what_is_not_read_waits_with_the_client(new_engine, gate):
    """The handler is held by the first; the fourth is not answered before it takes the second."""
    engine = new_engine("/handler/held/", resume=True)
    engine.open_polls()
    body = of_half_a_buffer(gate).encode()
    for sent in range(3):
        assert engine.request("POST", body, sid=engine.sid, sent=sent).body == b"ok"
    waiting = engine.ask("POST", body, sid=engine.sid, sent=3)
    assert not waiting.wait_readable(0.2)
    gate.touch()
    assert waiting.read_response().body == b"ok"


def come_back_with_more(engine, transport, packet):
    """Come back again and again, each time with what has not been taken; how much has been."""
    taken = 0
    for _ in range(20):
        if transport == "polling":
            engine.take(engine.request(sid=engine.sid, received=0).body)
            taken = engine.opened["received"]
            engine.ask("POST", packet.encode(), sid=engine.sid, sent=taken)
        else:
            engine.open_websocket(sid=engine.sid, received=0)
            taken = engine.opened["received"]
            for _ in range(2):
                engine.send(packet)
            engine.websocket.hang_up()
    return taken


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_coming_back_makes_no_room(new_engine, gate, transport):
    """The handler is held: no more is taken than there is room for, however it is brought."""
    engine = new_engine("/handler/held/", resume=True)
    engine.open_polls()
    engine.post(f"4{gate}", sent=0)
    assert 1 < come_back_with_more(engine, transport, of_half_a_buffer(gate)) <= 5


def test_of_two_that_bring_what_there_is_no_room_for_one_waits(new_engine, gate):
    engine = new_engine("/handler/held/", resume=True)
    engine.open_polls()
    engine.post(f"4{gate}", sent=0)
    body = of_half_a_buffer(gate).encode()
    for sent in range(1, 3):
        assert engine.request("POST", body, sid=engine.sid, sent=sent).body == b"ok"
    engine.ask("POST", body, sid=engine.sid, sent=3).wait_readable(0.2)

    def ask():
        return engine.ask("POST", body, sid=engine.sid, sent=4)

    first = ask()
    while first.wait_readable(0.1):  # what comes before it has not been read yet
        assert first.read_response().status == 400
        first = ask()
    second = engine.ask("POST", body, sid=engine.sid, sent=4)
    assert first.read_response().status == 400
    assert not second.wait_readable(0.1)
    gate.touch()
    assert second.read_response().body == b"ok"


@pytest.mark.parametrize("seed", range(3))
def test_any_bytes(new_engine, seed):
    """Whatever comes, the server lives, and so do other sessions."""
    good = new_engine("/echo/")
    good.open_polls()
    for _ in range(10):
        engine = new_engine("/handler/echo/", resume=seed == 1)
        engine.open_polls()
        body = os.urandom(seed * 50 + 5) + b"\x1e4\x1eb"
        assert engine.request("POST", body, sid=engine.sid).status in (200, 400)
        engine.open_websocket()
        engine.websocket.send_bytes(b"\x82\x85\0\0\0\0" + os.urandom(5))
        engine.websocket.send_text(os.urandom(20).hex())
        engine.websocket.send_text("9")
        while not isinstance(engine.read(), int):
            pass
    good.post("4alive")
    assert good.poll_until(1) == ["4alive"]
