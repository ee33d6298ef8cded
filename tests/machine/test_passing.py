"""Descriptors pass to another process: all of an offer or nothing, and none is left behind."""

import os
import pwd
import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest
from django.test import override_settings

from dwebsocket.machine.passing import (
    MAX_DESCRIPTORS,
    Gone,
    NoAnswer,
    PassingServer,
    Refused,
    Sender,
    find_passing_directory,
)
from dwebsocket.machine.passing.wire import (
    HEADER,
    Gate,
    Packet,
    Step,
    receive_packet,
    send_packet,
)

from ..servers.process import count_descriptors, freeze, wait_for_descriptors, wait_until
from .conftest import ROOT_ONLY, Process

NOBODY = pwd.getpwnam("nobody").pw_uid
KINDS = ["threads", "gevent", "eventlet"]


@pytest.fixture
def make_taker(directory):
    takers = []

    def make(kind="threads", **options):
        taker = Process(directory, module="tests.machine.taker", arguments=[kind], **options)
        taker.name = taker.do("name")
        takers.append(taker)
        return taker

    yield make
    for taker in takers:
        taker.close()


@pytest.fixture
def passing(directory):
    with override_settings(WEBSOCKET_RUN_DIR=str(directory)):
        return find_passing_directory()


@pytest.fixture
def pairs():
    made = [socket.socketpair() for _ in range(3)]
    yield made
    for pair in made:
        for one in pair:
            one.close()


def theirs(pairs):
    return [there.fileno() for _, there in pairs]


def check_still_ours(pairs):
    """Whoever was offered them holds none of them."""
    for ours, there in pairs:
        there.sendall(b"still ours")
        assert ours.recv(20) == b"still ours"
        there.close()
        ours.settimeout(10)
        assert ours.recv(1) == b""  # that was the only one


@pytest.mark.parametrize("kind", KINDS)
def test_sockets_pass(make_taker, passing, pairs, kind):
    taker = make_taker(kind)
    before = count_descriptors(taker.pid)
    with Sender(passing, taker.name) as sender:
        assert sender.hello["colour"] == "red"
        room = sender.room
        assert sender.offer("keep", b"body", theirs(pairs), timeout=30) == b"BODY"
        assert sender.room == room - 3
        for ours, there in pairs:
            there.close()
            ours.settimeout(10)
            assert ours.recv(10) == b"begun"
            assert ours.recv(10) == b""
        assert sender.offer("keep", b"no descriptor", timeout=30) == b"NO DESCRIPTOR"
        assert sender.offer("keep", bytes(1 << 20), timeout=30) == bytes(1 << 20)
    # It begins when it has answered; no child process inherits one.
    wait_until(lambda: taker.do("took") == [3, False], "the last one has begun")
    wait_for_descriptors(taker.pid, before)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_greenlets_pass_some_on(make_taker, kind):
    other = make_taker()
    taker = make_taker(kind)
    assert taker.do("give", other.name, "keep", 50, 30) == ["TEXT", True]
    assert taker.do("give", other.name, "refuse", 50, 30) == ["Refused", "not today"]
    answer, said = taker.do("give", "1.01234567", "keep", 1, 30)
    assert (answer, "does not listen" in said) == ("Gone", True)


def test_as_many_as_pass_at_a_time(make_taker, passing):
    taker = make_taker()
    reader, writer = os.pipe()
    try:
        with Sender(passing, taker.name) as sender:
            for _ in range(3):
                sender.offer("keep", b"", [writer] * MAX_DESCRIPTORS, timeout=30)
            with pytest.raises(Refused, match="251 descriptors"):
                sender.offer("keep", b"", [writer] * (MAX_DESCRIPTORS + 1), timeout=30)
            assert sender.offer("keep", b"goes on", timeout=30) == b"GOES ON"
    finally:
        os.close(writer)
    found = b""
    while piece := os.read(reader, 1 << 16):
        found += piece
    os.close(reader)
    assert found == b"begun" * 750


def test_refused(make_taker, passing, pairs):
    """For each reason, and the connection goes on."""
    taker = make_taker()
    reasons = {
        "refuse": "not today",
        "unknown": "this process knows no 'unknown'",
        "fail": "the log of this process tells why: out of order",
    }
    with Sender(passing, taker.name) as sender:
        for kind, text in reasons.items():
            assert "Traceback" not in taker.said()
            with pytest.raises(Refused, match=text):
                sender.offer(kind, b"", theirs(pairs), timeout=30)
    assert taker.said().count("Traceback") == 1
    check_still_ours(pairs)


def test_not_in_time(make_taker, passing, pairs):
    """What is accepted too late is not taken."""
    taker = make_taker()
    sender = Sender(passing, taker.name)
    with pytest.raises(NoAnswer, match="has not answered in time"):
        sender.offer("hold", b"", theirs(pairs), timeout=0.2)
    assert taker.answer() == "held"
    before = count_descriptors(taker.pid)
    taker.do("release")
    wait_for_descriptors(taker.pid, before - len(pairs))
    check_still_ours(pairs)
    assert taker.do("took") == [0, False]


def test_a_process_that_does_not_even_say_hello(make_taker, passing):
    taker = make_taker()
    freeze(taker.process.pid)
    with pytest.raises(NoAnswer):
        Sender(passing, taker.name, timeout=0.2)
    taker.signal(signal.SIGCONT)
    with Sender(passing, taker.name) as sender:
        assert sender.offer("keep", b"a", timeout=30) == b"A"


def test_the_taker_is_killed_in_the_middle(make_taker, passing, pairs):
    taker = make_taker()
    giver = make_taker()
    giver.begin("give", taker.name, "hold", 20, 60)
    assert taker.answer() == "held"
    before = count_descriptors(giver.pid)
    taker.process.kill()
    taker.process.wait(30)
    assert giver.answer()[0] == "Gone"
    wait_for_descriptors(giver.pid, before - 41)  # 20 pairs, the connection
    with pytest.raises(Gone, match="does not listen"):
        Sender(passing, taker.name)
    assert not [*passing.path.glob(f"{taker.name}.*")]  # what it has left is removed


def test_the_sender_is_killed_in_the_middle(make_taker):
    """What it offered ends with it: nobody begins."""
    taker = make_taker()
    before = count_descriptors(taker.pid)
    giver = make_taker()
    giver.begin("give", taker.name, "hold", 20, 60)
    assert taker.answer() == "held"
    wait_until(lambda: count_descriptors(taker.pid) >= before + 20, "they are there")
    giver.process.kill()
    taker.do("release")
    wait_for_descriptors(taker.pid, before)
    assert taker.do("took") == [0, False]


def test_a_taker_that_may_not_open_as_many(make_taker, passing, pairs):
    """It says what it has room for; if that has changed since, it takes none at all."""
    small = make_taker(before=("prlimit", "--nofile=64"))
    with Sender(passing, small.name) as sender:
        assert 10 < sender.room < 64
        with pytest.raises(Refused, match="the process has room for"):
            sender.offer("keep", b"", 64 * theirs(pairs)[:1], timeout=30)
        small.do("limit", 2)
        with pytest.raises(Refused, match="descriptors have not come"):
            sender.offer("keep", b"", theirs(pairs), timeout=30)
        assert sender.offer("keep", b"", theirs(pairs)[:1], timeout=30) == b""
        pairs[0][0].settimeout(10)
        assert pairs[0][0].recv(10) == b"begun"
    check_still_ours(pairs[1:])


def test_no_descriptor_comes_where_not_all_may(pairs):
    """Others need those that are left: who is refused takes none, not for an instant."""
    asked = []

    def has_room(count, descriptor):
        asked.append(count)
        return len(asked) > 1

    here, there = socket.socketpair()
    with here, there:
        for _ in range(2):
            send_packet(here, Packet(Step.OFFER, "keep", b"body", theirs(pairs)))
        gate = Gate(has_room)
        refused, taken = receive_packet(there, None, gate), receive_packet(there, None, gate)
    assert (refused.descriptors, refused.lost, refused.body) == ([], 3, b"body")
    assert (len(taken.descriptors), taken.lost) == (3, 0)
    assert asked == [3, 3]
    for descriptor in taken.descriptors:
        os.close(descriptor)


def test_garbage(make_taker, passing):
    taker = make_taker()
    before = count_descriptors(taker.pid)
    for data in (
        b"GET / HTTP/1.1\r\n\r\n",
        HEADER.pack(1, Step.OFFER, 0, 2, 0) + b"\xff\xff",
        HEADER.pack(1, Step.OFFER, 5, 4, (1 << 32) - 1) + b"keep",
        HEADER.pack(1, 99, 0, 0, 0),
        HEADER.pack(1, Step.COMMIT, 0, 0, 0),
    ):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(passing.socket_of(taker.name))
            sock.sendall(data)
            with suppress(ConnectionResetError):
                while sock.recv(1000):
                    pass  # hello, and the end
    with Sender(passing, taker.name) as sender:
        assert sender.offer("keep", b"a", timeout=30) == b"A"
    wait_for_descriptors(taker.pid, before)


def test_half_an_offer(make_taker, passing, pairs):
    """The descriptors have come, the rest has not, and does not."""
    taker = make_taker()
    before = count_descriptors(taker.pid)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(passing.socket_of(taker.name))
        whole, half = socket.socketpair()
        with whole, half:  # what a packet looks like, but for its last byte
            send_packet(whole, Packet(Step.OFFER, "keep", b"body"))
            data = half.recv(1000)
        data = HEADER.pack(1, Step.OFFER, 3, 4, 4) + data[HEADER.size : -1]
        socket.send_fds(sock, [data], theirs(pairs))
        wait_until(lambda: count_descriptors(taker.pid) >= before + 4, "they are there")
    wait_for_descriptors(taker.pid, before)
    check_still_ours(pairs)


@ROOT_ONLY
def test_another_users_process(make_taker, make_process, passing):
    """It is not even told hello, though somebody has opened the directories to it."""
    taker, foreign = make_taker(), make_process()
    path = Path(passing.socket_of(taker.name))
    for place in (passing.path.parent, passing.path):
        place.chmod(0o711)
    path.chmod(0o666)
    foreign.do("become", NOBODY)
    foreign.do("intrude", [str(path)])
    wait_until(lambda: "another user's process has connected" in taker.said(), "it is said")
    assert taker.do("took") == [0, False]


def test_the_directory_is_made_for_its_owner_alone(make_taker, passing):
    make_taker()
    for place in (passing.path.parent, passing.path):
        assert place.stat().st_mode & 0o777 == 0o700


def test_the_listener_is_closed(passing):
    server = PassingServer(passing, {})
    sender = Sender(passing, server.name)
    server.close()
    with pytest.raises(Gone):
        sender.offer("any", timeout=30)
    with pytest.raises(Gone):
        Sender(passing, server.name)
    assert not [*passing.path.iterdir()]
