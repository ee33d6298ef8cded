"""Groups on every way of waiting, with both backends; members are views and handlers together."""

import json
import zlib

import pytest

from ..raw_client import BINARY, CLOSE, TEXT
from ..servers.process import wait_until

pytestmark = [pytest.mark.rows(thorough=True), pytest.mark.usefixtures("server")]

kinds = pytest.mark.parametrize("kind", ["view", "handler"])

OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate"}


#: One for each way of waiting.
OF_MEMORY = ("gunicorn-gthread", "gevent-pywsgi", "eventlet", "uvicorn")


@pytest.fixture(params=["machine", "memory", "redis"])
def server(request, row):
    """Every backend keeps the same promises."""
    names = {
        "machine": "plain_server",
        "memory": "memory_server",
        "redis": "redis_backed_server",
        "lenient memory": "lenient_server",
        "lenient redis": "lenient_redis_backed_server",
    }
    if request.param == "memory" and row.name not in OF_MEMORY:
        pytest.skip("the machine's does the same, and sends to others besides")
    return request.getfixturevalue(names[request.param])


def do(client, *command):
    client.send_text(json.dumps(command))


def narrow(client):
    """Let the system hold little on the way to it, so that the rest waits in the server."""
    client.shrink_receive_buffer(32768)
    do(client, "narrow")
    assert client.read_text() == "narrow"


def too_many(row, count):
    """Messages of 20,000 bytes for one who does not read: the system takes more where the socket
    could not be made narrow.
    """
    return count + 400 if row.foreign else count


@pytest.fixture
def name(case):
    return case.replace(":", "-")


@pytest.fixture
def join(open_websocket, name):
    """A new member of the test's group; it knows how many there are."""
    joined = 0

    def join(kind="view", **request):
        nonlocal joined
        client = open_websocket(f"/group/{kind}/{name}/", **request)
        joined += 1
        assert client.read_text() == f"member {joined}"
        return client

    return join


@pytest.fixture
def ask(new_client, server, address, name):
    """ask("count") → the body of a plain HTTP request."""

    def ask(what, query=""):
        client = new_client(server)
        path = address(f"/group/{what}/{name}/{query}")
        client.send_request(path, websocket=False, headers={"Connection": "close"})
        return client.read_response().body.decode()

    return ask


@pytest.fixture
def wait_for_members(ask):
    def wait(count):
        wait_until(lambda: json.loads(ask("count"))["count"] == count, f"{count} members")

    return wait


def test_everybody_gets_it(join):
    members = [join("view"), join("handler"), join("view"), join("handler")]
    for sender in members:
        do(sender, "send", "hello ✓")
        assert [member.read_text() for member in members] == ["hello ✓"] * 4


def test_exclude(join):
    ada, bob, zoe = join("view"), join("handler"), join("view")
    do(ada, "send_to_others", "from ada")
    do(bob, "send_to_others", "from bob")
    assert zoe.read_text() in ("from ada", "from bob")
    assert zoe.read_text() in ("from ada", "from bob")
    assert ada.read_text() == "from bob"
    assert bob.read_text() == "from ada"


def test_binary_and_json(join):
    ada, bob = join("view"), join("handler")
    do(ada, "send_binary", [0, 255, 7])
    for member in (ada, bob):
        assert member.read_frame()[:2] == (BINARY, b"\x00\xff\x07")
    do(bob, "send_json", {"a": [1, None]})
    for member in (ada, bob):
        assert json.loads(member.read_text()) == {"a": [1, None]}


def test_plain_http_sends(join, ask):
    ada, bob = join("view"), join("handler")
    assert ask("send", "?text=hello") == "2"
    assert ada.read_text() == bob.read_text() == "hello"


def test_who_left_gets_nothing(join):
    ada, bob = join("view"), join("handler")
    do(bob, "leave")
    assert bob.read_text() == "left"
    do(ada, "send", "alone")
    assert ada.read_text() == "alone"
    do(bob, "answer", "still here")
    assert bob.read_text() == "still here"


@kinds
@pytest.mark.parametrize("end", ["close", "hang up", "reset"])
def test_who_is_closed_leaves(join, journal, case, wait_for_members, kind, end):
    ada, bob = join("view"), join(kind)
    if end == "close":
        bob.send_close()
    elif end == "hang up":
        bob.hang_up()
    else:
        bob.reset()
    wait_for_members(1)
    assert journal.wait(case, "left")["is_member"] is False
    do(ada, "send", "alone")
    assert ada.read_text() == "alone"


def test_one_senders_messages_stay_in_order(join):
    members = [join("view"), join("handler"), join("view")]
    for sender in members:
        do(sender, "send_many", 300, 20)
    for member in members:
        numbers = [int(member.read_text()[:6]) for _ in range(900)]
        assert sorted(numbers) == sorted(list(range(300)) * 3)
    do(members[0], "send_many", 500, 10)
    for member in members:
        assert [int(member.read_text()[:6]) for _ in range(500)] == list(range(500))


@kinds
def test_close(join, journal, case, kind):
    ada, bob = join("view"), join(kind)
    do(ada, "send", "last words")
    do(ada, "close", 4001, "over")
    for member in (ada, bob):
        assert member.read_text() == "last words"
        frame = member.read_close()
        assert (frame.close_code, frame.close_reason) == (4001, "over")
        member.send_close(4001)
        assert member.read_to_eof() == b""
    journal.wait(case, "ended", count=2)
    assert {event["close_code"] for event in journal.events(case, "ended")} == {4001}


@kinds
@pytest.mark.parametrize("server", ["machine"], indirect=True)  # what follows its Close is the same
def test_a_member_that_does_not_answer_the_close_is_given_up(join, row, journal, case, kind):
    ada = join(kind)
    do(ada, "close", 4001, "over")
    assert ada.read_close().close_code == 4001
    journal.wait(case, "ended")
    if row.gives_up_soon:
        assert ada.read_to_eof() == b""


@kinds
def test_what_waits_leaves_when_the_peer_reads(join, kind):
    """The view is blocked in wait(), nobody but the loop can send it."""
    slow, quick = join(kind), join("handler")
    narrow(slow)
    do(quick, "send_many", 60, 10_000)
    assert [int(quick.read_text()[:6]) for _ in range(60)] == list(range(60))
    do(quick, "send", "the last one")
    assert quick.read_text() == "the last one"
    assert [int(slow.read_text()[:6]) for _ in range(60)] == list(range(60))
    assert slow.read_text() == "the last one"


@kinds
def test_own_messages_keep_their_place(join, kind):
    """A view's send() waits, what a group sends does not: they take turns on one socket."""
    slow = join(kind)
    narrow(slow)
    do(slow, "mix", 80, 10_000)
    assert [int(slow.read_text()[:6]) for _ in range(80)] == list(range(80))
    do(slow, "answer", "done")
    assert slow.read_text() == "done"


@kinds
def test_who_does_not_read_is_closed_and_nobody_else_is_held_up(
    join, server, row, journal, case, ask, wait_for_members, kind
):
    slow, quick = join(kind), join("view")
    narrow(slow)
    mark, closed = server.log.mark(), json.loads(ask("count"))["slow"]
    for _ in range(too_many(row, 100) // 20):
        do(quick, "send_many", 20, 20_000)
        assert [int(quick.read_text()[:6]) for _ in range(20)] == list(range(20))
    server.log.wait_for("WebSocket closed with 1013", since=mark)
    event = journal.wait(case, "ended")
    assert event["close_code"] == 1013
    wait_for_members(1)
    assert json.loads(ask("count"))["slow"] == closed + 1


@kinds
@pytest.mark.parametrize("server", ["lenient memory", "lenient redis"], indirect=True)
def test_a_slow_reader_that_wakes_up_reads_what_waited_and_1013(join, server, row, kind):
    slow, quick = join(kind), join("view")
    narrow(slow)
    mark = server.log.mark()
    for _ in range(too_many(row, 70) // 10):
        do(quick, "send_many", 10, 20_000)
        assert [int(quick.read_text()[:6]) for _ in range(10)] == list(range(10))
    server.log.wait_for("WebSocket closed with 1013", since=mark)
    numbers = []
    while (frame := slow.read_frame()).opcode == TEXT:
        numbers.append(int(frame.payload[:6]))
    assert numbers == [place % 10 for place in range(len(numbers))]
    assert numbers
    assert frame.opcode == CLOSE
    assert frame.close_code == 1013


@pytest.mark.rows(coroutines=True)
def test_a_burst_in_an_event_loop_closes_nobody_who_reads(join):
    """It is over before the loop, which sends it, runs again."""
    reader = join("coroutine")
    do(reader, "send_many", 1500, 1000)
    assert [int(reader.read_text()[:6]) for _ in range(1500)] == list(range(1500))
    do(reader, "answer", "still here")
    assert reader.read_text() == "still here"


@pytest.mark.rows(asgi=False, coroutines=False)
def test_nothing_follows_half_a_frame(join, row, journal, case):
    """Somebody gives up waiting for a slow reader in the middle of a message."""
    if "gevent" not in row.name:
        pytest.skip("the time-out of this test is gevent's")
    slow = join("view")
    narrow(slow)
    do(slow, "give_up", 0.2, 10_000_000, "a further message")
    assert journal.wait(case, "ended")["close_code"] == 1006
    received = slow.read_to_eof()
    assert len(received) < 10_000_000
    assert b"further" not in received


@pytest.mark.rows(foreign=False)  # the server compresses
def test_compressed_for_those_who_agreed(join):
    plain, packed, other = join("view"), join("view", headers=OFFER), join("handler", headers=OFFER)
    do(plain, "send_many", 3, 5000)
    for number in range(3):
        text = f"{number:06}" + "x" * 4994
        assert plain.read_text() == text
        for member in (packed, other):
            frame = member.read_frame()
            assert (frame.opcode, frame.rsv) == (TEXT, 4)
            unpacked = zlib.decompressobj(-15).decompress(frame.payload + b"\x00\x00\xff\xff")
            assert unpacked.decode() == text
    do(plain, "send", "short")
    assert plain.read_text() == packed.read_text() == other.read_text() == "short"


def test_add_needs_an_accepted_websocket(open_websocket, name, journal, case):
    open_websocket(f"/group/too-early/{name}/")
    event = journal.wait(case, "refused")
    assert event["error"] == "InvalidState"
    assert "accept()" in event["text"]


def test_a_closed_websocket_is_not_added(open_websocket, name, journal, case):
    client = open_websocket(f"/group/closed-before/{name}/")
    client.read_close()
    client.send_close()
    assert journal.wait(case, "counted")["count"] == 0
