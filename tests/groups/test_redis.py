"""Redis as the settings describe it; what it does when it is away is in test_unavailable.py."""

import asyncio
import time

from django.test import override_settings

from dwebsocket import Group
from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.base import Closing

from ..servers.process import find_free_port
from ..servers.redis import BACKEND, tls_arguments
from .peers import TIMEOUT, Member, check_order


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
    here, there = make_peer(redis.setting), make_peer(redis.setting)
    member = there.join("a")
    here.publish("a", "hello")
    assert member.next() == "hello"
    assert redis.command("INFO", "persistence")["loading"] == 1


async def add_in_loop(group, member):
    group.add(member)


async def join_in_loop(peer, name):
    return peer.join(name)


def test_whoever_joins_waits_for_a_second_at_most(make_redis, make_peer):
    """And not at all in an event loop, which has others to serve."""
    redis = make_redis()
    redis.start()
    here, there = make_peer(redis.setting), make_peer(redis.setting)
    members = {"warm": there.join("warm")}
    redis.pause()
    begun = time.monotonic()
    members["loop"] = asyncio.run(join_in_loop(there, "loop"))
    assert time.monotonic() - begun < 0.5
    members["thread"] = there.join("thread")
    assert time.monotonic() - begun < 1.5
    redis.resume()
    members["again"] = there.join("again")  # confirmed behind the others
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
    redis.start()
    check_arrival(here, stays, "stays")
    for _ in range(10):
        here.publish("room", "nobody is there")
    lost = there.backend.get_counts().lost
    check_order(here, there.join("room"), name="room", count=10)
    assert there.backend.get_counts().lost == lost


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
