"""Redis as the settings describe it; what it does when it is away is in test_unavailable.py."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from django.test import override_settings

from dwebsocket import Group
from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.base import Closing
from dwebsocket.groups.envelope import CLOSE, pack

from ..servers.process import ROOT, find_free_port, freeze, wait_until
from ..servers.redis import BACKEND, tls_arguments
from .peers import TIMEOUT, Failing, Member, check_many_at_once, check_order, patient


def test_tls_and_a_password(make_redis, make_peer, certificates):
    port = find_free_port()
    make_redis(*tls_arguments(certificates, port), password="p@ss:word/").start()
    setting = {
        "BACKEND": BACKEND,
        "LOCATION": f"rediss://:p%40ss%3Aword%2F@127.0.0.1:{port}/0",
        "OPTIONS": {"ssl_ca_certs": str(certificates.authority)},
    }
    here, there = make_peer(setting), make_peer(setting)
    member = there.join("a")
    check_order(here, member)
    here.publish("a", b"\x00\xff")
    here.publish("a", Closing(4000, "over"))
    assert (member.next(), member.next()) == (b"\x00\xff", Closing(4000, "over"))


def test_sites_that_share_a_redis(make_redis, make_peer):
    """Each has a prefix of its own."""
    redis = make_redis()
    redis.start()
    one, other = ({**redis.setting, "OPTIONS": {"PREFIX": prefix}} for prefix in ("one", "other"))
    here, there, elsewhere = make_peer(one), make_peer(one), make_peer(other)
    stranger, member = elsewhere.join("a"), there.join("a")
    here.publish("a", "of one")
    elsewhere.publish("a", "to nobody")
    make_peer(other).publish("a", "of the other")
    assert stranger.next() == "of the other"
    assert member.next() == "of one"
    check_order(here, member)


@pytest.mark.parametrize(
    ("query", "options"), [("", {"decode_responses": True}), ("?decode_responses=True", {})]
)
def test_a_setting_of_a_cache_that_decodes(make_redis, make_peer, query, options):
    """What is carried is bytes, whatever it says."""
    redis = make_redis()
    redis.start()
    setting = {"BACKEND": BACKEND, "LOCATION": redis.location + query, "OPTIONS": options}
    here, there = make_peer(setting), make_peer(setting)
    member = there.join("a")
    check_order(here, member, count=10)
    here.publish("a", b"\x00\xff")
    assert member.next() == b"\x00\xff"


def test_a_close_code_that_may_not_be_sent(make_redis, make_peer, caplog):
    redis = make_redis()
    redis.start()
    here, there = make_peer(redis.setting), make_peer(redis.setting)
    member = there.join("a")
    for number in (1, 2):
        body = (1006).to_bytes(2, "big")
        redis.command("PUBLISH", "dwebsocket:a", pack(CLOSE, body, os.urandom(8), number))
    here.publish("a", "next")
    assert member.next() == "next"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "1006" in caplog.text


@pytest.mark.parametrize("content", ["hello", b"hello", Closing(4000, "over")])
def test_a_member_that_cannot_be_sent_to(make_redis, make_peer, caplog, content):
    redis = make_redis()
    redis.start()
    here, there = make_peer(redis.setting), make_peer(redis.setting)
    there.add("lobby", Failing)
    member = there.join("lobby")
    for _ in range(2):
        here.publish("lobby", content)
        assert member.next() == content
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 2
    assert "'lobby'" in caplog.records[0].getMessage()


def test_what_is_no_text_is_not_missed(make_redis, make_peer):
    redis = make_redis()
    redis.start()
    here, there = make_peer(redis.setting), make_peer(redis.setting)
    member = there.join("a")
    here.publish("a", "one")
    for _ in range(3):
        with pytest.raises(UnicodeEncodeError):
            here.publish("a", "half a pair: \ud800")
    here.publish("a", "two")
    assert (member.next(), member.next()) == ("one", "two")
    assert there.backend.get_counts()[2:4] == (2, 0)  # received, lost
    assert here.backend.get_counts()[:2] == (2, 0)  # published, unavailable


def test_a_room_that_is_left_and_joined_again_under_traffic(make_redis, make_peer):
    """What nobody wanted meanwhile was not missed, what waited for the one before is nobody's."""
    redis = make_redis()
    redis.start()
    here, there = make_peer(redis.setting), make_peer(redis.setting)
    stop = threading.Event()

    class Leaving(Member):
        count = 0

        def send_nowait(self, message):
            super().send_nowait(message)
            self.count += 1
            if self.count == 20:
                there.leave("room", self)
                time.sleep(0.05)  # in which more of them come to the listener

    def publish():
        number = 0
        while not stop.wait(0.001):
            here.publish("room", str(number))
            number += 1

    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        for _ in range(10):
            member = there.join("room", Leaving)
            numbers = [int(member.next()) for _ in range(20)]
            assert numbers == list(range(numbers[0], numbers[0] + 20))
            time.sleep(0.1)
    finally:
        stop.set()
        publisher.join()
    assert there.backend.get_counts().lost == 0


def test_one_that_is_loading_carries_messages(make_redis, make_peer):
    """Redis publishes already while it reads its data: ten thousand keys, two milliseconds each."""
    redis = make_redis(
        *("--enable-debug-command", "yes", "--key-load-delay", "2000"),
        *("--loading-process-events-interval-bytes", "1024"),
    )
    redis.start()
    redis.command("DEBUG", "POPULATE", "10000", "key", "100")
    redis.command("SAVE")
    redis.kill()
    redis.start()
    here, there = make_peer(patient(redis.setting)), make_peer(redis.setting)
    member = there.join("a")  # which waits for a second at most
    subscribers = ("PUBSUB", "NUMSUB", "dwebsocket:a")
    wait_until(lambda: redis.command(*subscribers)[1] == 1, "it listens")
    here.publish("a", "hello")
    assert member.next() == "hello"
    assert redis.command("INFO", "persistence")["loading"] == 1


async def add_in_loop(group, member):
    group.add(member)


async def join_in_loop(peer, name):
    return peer.join(name)


@pytest.mark.usefixtures("usual_patience")
def test_whoever_joins_waits_for_a_second_at_most(make_redis, make_peer):
    """And not at all in an event loop, which has others to serve."""
    redis = make_redis()
    redis.start()
    here, there = make_peer(patient(redis.setting)), make_peer(redis.setting)
    members = {"warm": there.join("warm")}
    redis.pause()
    taken = []
    for name in ("loop", "loop 2", "loop 3"):
        begun = time.monotonic()
        members[name] = asyncio.run(join_in_loop(there, name))
        taken.append(time.monotonic() - begun)
    assert min(taken) < 0.9  # a busy machine may be late, but not each time
    begun = time.monotonic()
    members["thread"] = there.join("thread")
    assert time.monotonic() - begun < 5  # what it waits for does not come at all
    redis.resume()
    members["again"] = there.join("again")  # confirmed behind the others
    subscribers = ("PUBSUB", "NUMSUB", "dwebsocket:again")
    wait_until(lambda: redis.command(*subscribers)[1] == 1, "it listens")
    for name, member in members.items():
        check_order(here, member, name=name, count=10)


def test_whoever_joins_second_waits_too(make_redis, make_peer):
    """The first one may not have waited, or not yet."""
    redis = make_redis()
    redis.start()
    elsewhere = make_peer(redis.setting)
    with override_settings(WEBSOCKET_GROUPS=redis.setting):
        for number in range(50):
            group, first, second = Group(str(number)), Member(), Member()
            asyncio.run(add_in_loop(group, first))
            group.add(second)
            elsewhere.publish(group.name, "hello")
            assert (first.next(), second.next()) == ("hello", "hello")
            group.discard(first)
            group.discard(second)


def test_groups_that_emptied_while_it_was_away(make_redis, make_peer):
    """What nobody here wanted was not lost."""
    redis = make_redis()
    redis.start()
    here, there = make_peer(redis.setting), make_peer(redis.setting)
    stays, member = there.join("stays"), there.join("room")
    check_order(here, member, name="room", count=10)
    redis.kill()
    there.leave("room", member)
    hang_up_on(redis, tries=2)
    redis.start()
    check_arrival(here, stays, "stays")
    for _ in range(10):
        here.publish("room", "nobody is there")
    lost = there.backend.get_counts().lost
    check_order(here, there.join("room"), name="room", count=10)
    assert there.backend.get_counts().lost == lost


def hang_up_on(redis, tries):
    """In the place of a Redis that is away: the listener tries again."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(redis.path))
        listener.listen()
        listener.settimeout(TIMEOUT)
        for _ in range(tries):
            listener.accept()[0].close()
    redis.path.unlink()


def check_arrival(sender, member, name):
    """Publish until it arrives: the listener has connected again."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            sender.publish(name, "hello")
            assert member.next(0.1) == "hello"
            return
        except (GroupUnavailable, TimeoutError):
            assert time.monotonic() < deadline, "nothing arrives any more"


@pytest.mark.parametrize("query", ["", "?max_connections=3"])
def test_more_publishers_than_connections(make_redis, make_peer, query):
    redis = make_redis()
    redis.start()
    setting = patient({**redis.setting, "LOCATION": redis.location + query})
    here, there = (make_peer(setting) for _ in range(2))
    check_many_at_once(redis, here, there.join("a"))


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_a_flood_leaves_other_greenlets_their_turns(make_redis, make_peer, kind):
    redis, count = make_redis(), 5000
    redis.start()
    command = [sys.executable, "-m", "tests.groups.turns", kind, json.dumps(redis.setting), count]
    with subprocess.Popen(map(str, command), cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            freeze(process.pid)
            here = make_peer(redis.setting)
            for number in range(count):
                here.publish("flood", str(number))
            process.send_signal(signal.SIGCONT)
            assert int(process.stdout.readline()) > 5
        finally:
            process.kill()


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_greenlets_that_go_on_in_a_forked_child_take_nothing_away(make_redis, make_peer, kind):
    redis = make_redis()
    redis.start()
    command = [sys.executable, "-W", "ignore", "-m", "tests.groups.forking", kind]
    setting = json.dumps(redis.setting)
    with subprocess.Popen(
        [*command, setting], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "forked\n"
            check_order(make_peer(redis.setting))
            assert process.stdout.read() == "all of them\nchild: 0\n"
        finally:
            process.kill()
