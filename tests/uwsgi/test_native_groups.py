"""Groups with --https-socket, where only a view's own thread or greenlet can send."""

import json
import re
import time

import pytest

from dwebsocket import connections

from ..asking import among
from ..raw_client import BINARY, CLOSE, TEXT
from ..servers.process import count_descriptors, wait_for_descriptors, wait_until

kinds = pytest.mark.parametrize("kind", ["view", "handler"])


@pytest.fixture
def server(native_server):
    return native_server


@pytest.fixture
def name(request):
    return re.sub(r"\W+", "-", request.node.name)


@pytest.fixture
def join(server, connect, name):
    """A new member of the test's group; it knows how many there are."""
    joined = 0

    def join(kind="view"):
        nonlocal joined
        client = connect(server, f"/group/{kind}/{name}/?case={name}")
        joined += 1
        assert read_text(client) == f"member {joined}"
        return client

    return join


@pytest.fixture
def ask(server, connect, name):
    """ask("count") → the body of a plain HTTP request."""

    def ask(what, query=""):
        client = connect(server)
        path = f"/group/{what}/{name}/{query}"
        client.send_request(path, websocket=False, headers={"Connection": "close"})
        body = client.read_response().body.decode()
        client.hang_up()
        return body

    return ask


@pytest.fixture
def wait_for_members(ask):
    def wait(count):
        wait_until(lambda: json.loads(ask("count"))["count"] == count, f"{count} members")

    return wait


def do(client, *command):
    client.send_text(json.dumps(command))


def read_text(client):
    frame = client.read_past_pings()
    assert frame.opcode == TEXT, frame
    return frame.payload.decode()


def read_numbers(client, count):
    return [int(read_text(client)[:6]) for _ in range(count)]


def narrow(client):
    """Let the system hold little on the way to it, so that the rest waits in the server."""
    client.shrink_receive_buffer(32768)
    do(client, "narrow")
    assert read_text(client) == "narrow"


def test_everybody_gets_it(join):
    members = [join("view"), join("handler"), join("view")]
    for sender in members:
        do(sender, "send", "hello ✓")
        assert [read_text(member) for member in members] == ["hello ✓"] * 3


def test_binary_stays_binary(join):
    ada, bob = join("view"), join("handler")
    do(ada, "send_binary", [104, 105])
    for member in (ada, bob):
        assert member.read_past_pings()[:2] == (BINARY, b"hi")


def test_plain_http_sends_and_nobody_waits_for_the_next_tick(join, ask):
    ada, bob = join("view"), join("handler")
    taken = []
    for number in range(20):
        start = time.monotonic()
        assert ask("send", f"?text={number}") == "2"
        assert read_text(ada) == read_text(bob) == str(number)
        taken.append(time.monotonic() - start)
    assert sorted(taken)[5] < 0.5, taken  # a tick is a second; some may be slow on a busy machine


def test_one_senders_messages_stay_in_order(join):
    members = [join("view"), join("handler"), join("view")]
    do(members[0], "send_many", 500, 10)
    for member in members:
        assert read_numbers(member, 500) == list(range(500))


def test_own_messages_keep_their_place(join):
    ada = join()
    do(ada, "mix", 80, 10_000)
    assert read_numbers(ada, 80) == list(range(80))


@kinds
def test_a_burst_closes_nobody_who_reads(join, kind):
    """More than may wait, sent before anybody else has had a turn."""
    ada, bob = join(kind), join("view")
    do(ada, "send_many", 1200, 1000, 0.2)
    for member in (ada, bob):
        assert read_numbers(member, 1200) == list(range(1200))


@pytest.mark.parametrize("kind", ["pushing", "polling"])
def test_a_view_that_never_waits_gets_it_out(server, connect, name, ask, kind):
    client = connect(server, f"/group/{kind}/{name}/")
    assert read_text(client) in ("tick", "member")
    ask("send", "?text=hello")
    while (text := read_text(client)) == "tick":
        pass
    assert text == "hello"


@kinds
@pytest.mark.parametrize("end", ["close", "hang up", "reset"])
def test_who_is_closed_leaves(join, journal, name, wait_for_members, kind, end):
    ada, bob = join("view"), join(kind)
    if end == "close":
        bob.send_close()
    elif end == "hang up":
        bob.hang_up()
    else:
        bob.reset()
    wait_for_members(1)
    assert journal.wait(name, "left")["is_member"] is False
    do(ada, "send", "alone")
    assert read_text(ada) == "alone"


def test_who_is_closed_by_its_view_leaves(server, connect, ask, name, journal):
    client = connect(server, f"/group/closed-before/{name}/?case={name}")
    assert client.read_past_pings().opcode == CLOSE
    client.send_close()
    assert journal.wait(name, "counted")["count"] == 0


@kinds
def test_close(join, journal, name, wait_for_members, kind):
    ada, bob = join("view"), join(kind)
    do(ada, "send", "last words")
    do(ada, "close", 4001, "over")
    do(ada, "send", "too late")
    for member in (ada, bob):
        assert read_text(member) == "last words"
        frame = member.read_past_pings()
        assert (frame.opcode, frame.close_code, frame.close_reason) == (CLOSE, 4001, "over")
        member.send_close(4001)
        assert b"too late" not in member.read_to_eof()
    journal.wait(name, "ended", count=2)
    assert {event["close_code"] for event in journal.events(name, "ended")} == {4001}
    wait_for_members(0)


def test_close_of_a_view_that_only_sends(server, connect, name, ask, journal):
    client = connect(server, f"/group/pushing/{name}/?case={name}")
    assert read_text(client) == "tick"
    ask("close", "?code=4001&reason=over")
    while (frame := client.read_past_pings()).opcode == TEXT:
        pass
    assert (frame.close_code, frame.close_reason) == (4001, "over")
    client.send_close(4001)
    ended = journal.wait(name, "ended")
    assert (ended["outcome"], ended["close_code"]) == ("ConnectionClosed", 4001)


def test_a_member_that_does_not_answer_the_close_is_given_up(join, journal, name):
    ada = join()
    do(ada, "close", 4001, "over")
    assert ada.read_past_pings().close_code == 4001
    journal.wait(name, "ended")
    ada.timeout = 10
    assert ada.read_to_eof() == b""


def test_what_waits_leaves_when_the_peer_reads(join):
    slow, quick = join("view"), join("handler")
    narrow(slow)
    do(quick, "send_many", 60, 10_000)
    assert read_numbers(quick, 60) == list(range(60))
    do(quick, "send", "the last one")
    assert read_text(quick) == "the last one"
    assert read_numbers(slow, 60) == list(range(60))
    assert read_text(slow) == "the last one"


@kinds
def test_who_does_not_read_is_closed_and_nobody_else_is_held_up(
    join, server, journal, name, ask, wait_for_members, kind
):
    slow, quick = join(kind), join("view")
    narrow(slow)
    mark, closed = server.log.mark(), json.loads(ask("count"))["slow"]
    for _ in range(10):
        do(quick, "send_many", 20, 20_000)
        assert read_numbers(quick, 20) == list(range(20))
    server.log.wait_for("WebSocket closed with 1013", since=mark)
    assert journal.wait(name, "ended", timeout=10)["close_code"] == 1013
    wait_for_members(1)
    assert json.loads(ask("count"))["slow"] == closed + 1


def test_a_slow_reader_that_wakes_up_reads_what_waited_and_1013(join, server):
    slow, quick = join("view"), join("view")
    narrow(slow)
    mark = server.log.mark()
    for _ in range(7):
        do(quick, "send_many", 10, 20_000)
        assert read_numbers(quick, 10) == list(range(10))
    server.log.wait_for("WebSocket closed with 1013", since=mark)
    numbers = []
    while (frame := slow.read_past_pings()).opcode == TEXT:
        numbers.append(int(frame.payload[:6]))
    assert numbers == [place % 10 for place in range(len(numbers))]
    assert numbers
    assert (frame.opcode, frame.close_code) == (CLOSE, 1013)


def test_a_peer_that_stops_inside_a_message_holds_its_view_for_the_socket_timeout(
    join, journal, name, wait_for_members
):
    slow, quick = join("view"), join("view")
    narrow(slow)
    do(quick, "send_many", 1, 3_000_000)
    assert read_numbers(quick, 1) == [0]
    assert slow.wait_readable(15)  # it has begun to leave: before, what follows would be too much
    do(quick, "send", "goes on")
    assert read_text(quick) == "goes on"
    assert journal.wait(name, "ended", timeout=15)["close_code"] == 1006
    wait_for_members(1)


def test_no_descriptor_is_left(server, connect, name, ask, wait_for_members):
    def visit():
        clients = [connect(server, f"/group/view/{name}/") for _ in range(5)]
        for client in clients:
            read_text(client)
            client.reset()
        wait_for_members(0)

    visit()
    pid = json.loads(ask("count"))["pid"]
    before = count_descriptors(pid)
    for _ in range(3):
        visit()
    wait_for_descriptors(pid, before)


@kinds
def test_who_asks_is_told_of_it_and_closes_it(server, join, name, kind):
    client = join(kind)
    with among(server):
        (found,) = connections.list(group=name, timeout=5)
        assert (found.kind, found.path, found.sent) == (kind, f"/group/{kind}/{name}/", 1)
        assert found.address == "127.0.0.1"
        assert found.bytes_in > 0
        assert connections.close(ids=[found.id], code=4001, timeout=5) == 1
        assert client.read_past_pings().close_code == 4001
