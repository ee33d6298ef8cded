"""Redis goes, comes back, and has lost something: who was a member of a group that remembers has
all that there is, once and in order, or is told. A longer run: DWEBSOCKET_TEST_CHAOS=60.
"""

import os
import time

import pytest

from dwebsocket.exceptions import GroupUnavailable

from ..servers.process import wait_until
from .pages import Page, Traffic, break_at_random, traffic
from .peers import BUSY

CHAOS = float(os.environ.get("DWEBSOCKET_TEST_CHAOS", "1.5"))

#: What is answered has been written, and the system goes on: nobody need wait for the disk.
PERSISTENT = ("--appendonly", "yes", "--appendfsync", "no")

LOST = "Messages are lost that the history does not have any more"


@pytest.fixture(params=[(), PERSISTENT], ids=["forgets", "persistent"])
def redis(request, make_redis):
    redis = make_redis(*request.param)
    redis.is_persistent = bool(request.param)
    redis.start()
    return redis


@pytest.fixture
def peers(redis, make_peer):
    return [make_peer(redis.setting) for _ in range(3)]


def open_all(peers, count=1):
    pages = [Page(peer) for peer in peers for _ in range(count)]
    assert all(page.open() for page in pages)
    return pages


def check(pages, sending):
    """All that there is comes to all, and nothing else."""
    wait_until(sending.send, "Redis is back", timeout=20)
    for page in pages:
        if page.member is None:
            wait_until(page.open, "the history can be read", timeout=20)
    wait_until(sending.send, "what all get", timeout=20)
    check_last(pages, sending)


def check_last(pages, sending):
    last = str(sending.sent - 1)
    for page in pages:
        wait_until(lambda: page.has(last), "the last one", timeout=20)  # noqa: B023
        assert page.find_faults(sending.refused) == [], page.got[-60:]


def losses(caplog):
    return [record for record in caplog.records if LOST in record.getMessage()]


@pytest.mark.usefixtures("usual_patience")
def test_it_is_killed_under_traffic(redis, peers, caplog):
    here, *others = peers
    pages = open_all(peers, 3)
    away = [Page(peer) for peer in others]
    for page in away:
        assert page.open()
    with traffic(here, rate=100) as sending:
        wait_until(lambda: sending.sent > 50, "traffic")
        for page in away:
            page.close()
        redis.kill()
        wait_until(lambda: len(sending.refused) > 50, "it is away", timeout=20)
        redis.start()
        wait_until(lambda: pages[0].has(str(sending.sent - 1)), "it is back", timeout=20)
    check(pages + away, sending)
    assert sending.slowest < 0.5 + BUSY
    told = {page.times_told() for page in pages + away}
    assert told == ({0} if redis.is_persistent else {1})
    lines = 0 if redis.is_persistent else 3  # one of each process
    wait_until(lambda: len(losses(caplog)) == lines, "the log says so")


def test_what_was_published_while_nobody_listened_comes(redis, peers):
    pages = open_all(peers)
    with traffic(peers[0], rate=200) as sending:
        for _ in range(5):
            wait_for_traffic(sending)
            redis.command("CLIENT", "KILL", "TYPE", "PUBSUB")
    for _ in range(3):
        redis.command("CLIENT", "KILL", "TYPE", "PUBSUB")
        assert sending.send()
    check_last(pages, sending)  # nothing comes behind it
    assert [page.times_told() for page in pages] == [0, 0, 0]
    assert not sending.refused


def wait_for_traffic(sending, count=50):
    wanted = sending.sent + count
    wait_until(lambda: sending.sent > wanted, "traffic", timeout=20)


def test_everything_is_flushed(redis, peers, caplog):
    """Who comes back is told, and so is everybody who stays, as soon as something is sent; the log
    says it once for all groups.
    """
    here, there, _ = peers
    names = [f"group {number}" for number in range(100)]
    pages = [Page(there, name) for name in names]
    away = Page(there, names[0])
    assert all(page.open() for page in [*pages, away])
    for number in range(2):
        for name in names:
            here.keep(name, str(number))
    wait_until(lambda: all(page.has("1") for page in [*pages, away]), "all have it")
    away.close()
    redis.command("FLUSHALL")
    for name in names:
        here.keep(name, "2")
    assert away.open()
    assert not away.member.joined.recovered
    for page in pages:
        wait_until(lambda: page.has("2"), "what was sent since")  # noqa: B023
        assert page.got == [True, "0", "1", False, "2"]
        assert page.position == page.peer.follow(page.name).joined.position
    wait_until(lambda: losses(caplog), "it is told")
    assert len(losses(caplog)) == 1


@pytest.mark.parametrize("count", [1, 3, 5])
def test_numbers_that_are_used_again(make_redis, make_peer, monkeypatch, count):
    """It comes back as it was a while before: fewer new ones than were lost, as many, or more."""
    # All of them have come before anybody looks: what comes behind the word that something is lost,
    # and was sent before it, is part of that.
    monkeypatch.setattr("dwebsocket.groups.history.feeds.INTERVAL", 1.0)
    redis = make_redis()
    redis.start()
    here, there = (make_peer(redis.setting) for _ in range(2))
    pages = open_all([here, there])
    away = Page(there)
    away.open()
    sending = Traffic(here, rate=100)
    for _ in range(5):
        assert sending.send()
    redis.command("SAVE")
    for _ in range(3):
        assert sending.send()
    everybody = [*pages, away]
    wait_until(lambda: all(page.has("7") for page in everybody), "all have it")
    away.close()
    redis.kill()
    redis.start()
    newcomer = make_peer(redis.setting)  # it knows nothing of what was lost
    sending.peer = newcomer
    for _ in range(count):
        assert sending.send()
    wait_until(lambda: all(page.has("") or page.times_told() for page in pages), "told")
    wait_until(away.open, "it can be read", timeout=10)
    assert not away.member.joined.recovered
    check([*pages, away], sending)
    assert [page.times_told() for page in [*pages, away]] == [1, 1, 1]


@pytest.mark.usefixtures("usual_patience")
def test_a_hanging_redis_holds_nobody(redis, peers):
    here, there, _ = peers
    sending = Traffic(here, rate=100)
    page, late = Page(there), Page(there, "b")
    assert page.open()
    assert sending.send()
    redis.pause()
    for act in (sending.send, sending.send, late.open, Page(here, "c").open):
        begun = time.monotonic()
        assert not act()
        assert time.monotonic() - begun < 1 + BUSY
    with pytest.raises(GroupUnavailable, match="perhaps nobody has got it"):
        here.keep("a", "never")
    with pytest.raises(GroupUnavailable, match="does not say what the group remembers"):
        here.backend.history.recall("a", None, 10)
    with pytest.raises(GroupUnavailable, match="perhaps nobody has got it"):
        here.backend.publish_behind("a", "never", None)
    assert here.backend.get_counts()[:2] == (1, 4)
    redis.resume()
    check([page], sending)


def test_members_that_come_and_go_at_random(make_redis, make_peer):
    """Two hundred messages a second, a hundred pages, and connections that break."""
    redis = make_redis()
    redis.start()
    peers = [make_peer(redis.setting) for _ in range(4)]
    pages = open_all(peers, 25)
    with traffic(peers[0], rate=200) as sending:
        kill = ("CLIENT", "KILL", "TYPE", "PUBSUB")
        break_at_random(pages, sending, CHAOS, lambda: redis.command(*kill), seed=CHAOS)
    check(pages, sending)
    assert not sending.refused
    assert sum(page.times_told() for page in pages) == 0


def test_members_that_come_and_go_while_redis_does(redis, peers):
    pages = open_all(peers, 10)

    def restart():
        redis.kill()
        time.sleep(0.2)
        redis.start()

    with traffic(peers[0], rate=200) as sending:
        break_at_random(pages, sending, CHAOS, restart, seed=CHAOS)
        restart()
    check(pages, sending)
    if redis.is_persistent:
        assert sum(page.times_told() for page in pages) == 0
