"""What groups remember in Redis, and how it comes to all processes: once, and in order."""

import asyncio
import threading

import pytest
from django.test import override_settings
from redis.crc import key_slot

from dwebsocket import Group
from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.base import Closing
from dwebsocket.groups.history import Rule
from dwebsocket.groups.history.store import FORGOTTEN
from dwebsocket.groups.redis.history import PAGE
from dwebsocket.groups.redis.scripts import find_keys

from ..servers.process import wait_until
from .peers import RULE, TIMEOUT, Follower, check_order


@pytest.fixture
def redis(make_redis):
    redis = make_redis()
    redis.start()
    return redis


@pytest.fixture
def peers(redis, make_peer):
    return [make_peer(redis.setting) for _ in range(3)]


def texts(*numbers):
    return [str(number) for number in range(*numbers)]


def test_everybody_gets_everything_once_and_in_order(peers):
    """The sender's own members as well; some send at the same time."""
    members = [peer.follow("a") for peer in peers for _ in range(2)]
    for member in members:
        assert (member.next(), member.joined.recovered) == (True, True)

    def send(sender):
        for number in range(50):
            peers[sender].keep("a", f"{sender} {number}")

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(3)]
    for thread in threads:
        thread.start()
    got = [member.take(150) for member in members]
    for thread in threads:
        thread.join(TIMEOUT)
    assert all(one == got[0] for one in got)
    for sender in range(3):
        assert [one for one in got[0] if one[0] == str(sender)] == [
            f"{sender} {number}" for number in range(50)
        ]
    assert [member.count() for member in members] == [0] * 6
    assert members[0].position.endswith(":150")


def test_who_comes_back_gets_what_was_missed(peers):
    here, there, _ = peers
    member = there.follow("a")
    for text in texts(5):
        here.keep("a", text)
    assert member.take(6) == [True, *texts(5)]
    there.leave("a", member)
    for text in texts(5, 20):
        here.keep("a", text)
    again = there.follow("a", member.position)
    here.keep("a", "20")
    assert again.take(17) == [True, *texts(5, 21)]
    elsewhere = here.follow("a", member.position)
    assert elsewhere.take(17) == [True, *texts(5, 21)]
    assert again.joined.recovered
    assert str(elsewhere.joined.position) == again.position


def test_what_is_not_kept_stays_behind_what_is(peers):
    here, there, _ = peers
    members = [here.follow("a"), there.follow("a")]
    left_out = here.follow("a")
    for number in range(0, 100, 2):
        here.keep("a", str(number))
        here.backend.publish_behind("a", str(number + 1), left_out)
    here.backend.publish_behind("a", Closing(4000, "over"), None)
    for member in members:
        assert member.take(102) == [True, *texts(100), Closing(4000, "over")]
    assert left_out.take(52) == [True, *texts(0, 100, 2), Closing(4000, "over")]
    assert there.backend.get_counts()[2:4] == (101, 0)  # received, lost
    assert here.backend.get_counts() == (101, 0, 0, 0, 0)


def test_only_the_newest_are_kept(redis, peers):
    here, there, elsewhere = peers
    member = there.follow("a", rule=Rule(10, 60.0))
    for text in texts(30):
        here.keep("a", text, Rule(10, 60.0))
    assert member.take(31) == [True, *texts(30)]
    epoch = member.position.partition(":")[0]
    assert elsewhere.follow("a", f"{epoch}:20").take(11) == [True, *texts(20, 30)]
    late = elsewhere.follow("a", f"{epoch}:19")
    assert late.next() is False
    assert not late.joined.recovered
    assert elsewhere.backend.history.recall("a", None, 100).messages == texts(20, 30)
    assert elsewhere.backend.history.recall("a", None, 3).messages == texts(27, 30)
    assert elsewhere.backend.history.recall("a", f"{epoch}:20", 3) == (
        texts(20, 23),
        f"{epoch}:23",
        True,
    )
    assert redis.command("XLEN", find_keys("dwebsocket:", "a")[0]) == 10


def test_the_newest_comes_to_who_joins(peers):
    here, there, _ = peers
    rule = Rule(1, 60.0, True)
    first = there.follow("gauge", rule=rule)
    for text in ("12", "13"):
        here.keep("gauge", text, rule)
    assert first.take(3) == [True, "12", "13"]  # from here on it is the newest of that process
    member = there.follow("gauge", rule=rule)
    assert member.take(2) == [True, "13"]
    here.keep("gauge", "14", rule)
    assert member.next() == "14"
    assert member.count() == 0


def test_what_is_too_old_is_gone(redis, peers):
    """By Redis' own clock; the positions go on."""
    here, there, _ = peers
    member = there.follow("a")
    here.keep("a", "long", Rule(10, 60.0))
    here.keep("a", "short", Rule(10, 0.1))
    assert member.take(3) == [True, "long", "short"]
    history = there.backend.history
    wait_until(lambda: history.recall("a", None, 10).messages == [], "it is too old")
    epoch = member.position.partition(":")[0]
    assert not history.recall("a", f"{epoch}:0", 10).recovered  # a part is not told
    here.keep("a", "next", Rule(10, 60.0))
    assert member.next() == "next"
    assert history.recall("a", f"{epoch}:2", 10) == (["next"], f"{epoch}:3", True)


def test_what_is_too_old_makes_room(redis, peers):
    """In a group that goes on as well, however many it may keep."""
    here = peers[0]
    messages, position = find_keys("dwebsocket:", "a")
    for _ in range(50):
        here.keep("a", "short", Rule(1000, 0.1))

    def is_small():
        here.keep("a", "next", Rule(1000, 0.1))
        return redis.command("XLEN", messages) < 20

    wait_until(is_small, "the old ones are removed")
    wait_until(lambda: redis.command("EXISTS", messages) == 0, "it is silent")
    assert FORGOTTEN - 60 < redis.command("TTL", position) <= FORGOTTEN + 1


def test_more_than_is_read_at_a_time(peers):
    here, there, _ = peers
    member = there.follow("a")
    large = [f"{number} " + "x" * (PAGE // 8) for number in range(20)]
    for text in large:
        here.keep("a", text)
    assert member.take(21) == [True, *large]
    epoch = member.position.partition(":")[0]
    assert peers[2].follow("a", f"{epoch}:0").take(21) == [True, *large]
    recall = here.backend.history.recall
    assert recall("a", f"{epoch}:2", 15) == (large[2:17], f"{epoch}:17", True)
    assert recall("a", None, 15).messages == large[5:]


def test_a_name_of_whatever_characters(peers):
    here, there, _ = peers
    for name in ("a{b}c", "}{", "{}", "ä ✓", "*", "x" * 500):
        member = there.follow(name)
        here.keep(name, "hello")
        assert member.take(2) == [True, "hello"]


@pytest.mark.parametrize("prefix", ["dwebsocket:", "{site}:", "a{b:", "a}:", "{}:"])
@pytest.mark.parametrize("name", ["room", "{7}", "a{7}b", "}{", "{}", "{a", "a}"])
def test_keys_are_where_the_channel_is(prefix, name):
    """Or a script could not publish in a cluster."""
    keys = find_keys(prefix, name)
    assert {key_slot(key.encode()) for key in keys} == {key_slot((prefix + name).encode())}
    assert len(set(keys)) == 2
    assert all(key.startswith(prefix) for key in keys)  # what a user may be allowed


def test_binary_and_who_is_left_out(peers):
    here, there, _ = peers
    sender, member = here.follow("a"), there.follow("a")
    plain = there.join("a")
    for _ in range(20):
        here.keep("a", b"\x00\xff", exclude=sender)
    here.keep("a", "end")
    assert sender.take(2) == [True, "end"]
    assert [plain.next() for _ in range(21)] == [b"\x00\xff"] * 20 + ["end"]
    wait_until(lambda: member.count() == 22, "all have come")


def test_other_groups_cost_redis_nothing(redis, peers):
    here, there, _ = peers
    member = there.join("plain")
    check_order(here, member, name="plain")
    assert redis.command("DBSIZE") == 0
    assert "cmdstat_eval" not in str(redis.command("INFO", "commandstats"))


def test_a_script_that_redis_has_forgotten(redis, peers):
    here, there, _ = peers
    member = there.follow("a")
    for text in texts(5):
        here.keep("a", text, RULE)
        redis.command("SCRIPT", "FLUSH")
    assert member.take(6) == [True, *texts(5)]


def test_something_else_under_the_key(redis, peers):
    redis.command("SET", find_keys("dwebsocket:", "a")[1], "mine")
    with pytest.raises(GroupUnavailable, match="WRONGTYPE"):
        peers[0].keep("a", "hello")
    with pytest.raises(GroupUnavailable, match="WRONGTYPE"):
        peers[0].follow("a")
    member = peers[0].follow("b")
    peers[1].keep("b", "hello")
    assert member.take(2) == [True, "hello"]


def test_groups_of_views(redis, peers):
    """What is said by ``Group`` itself; and nobody has to wait in an event loop for it."""
    there = peers[0].follow("a")
    with override_settings(WEBSOCKET_GROUPS=redis.setting):
        group, member, sender = Group("a", history=100), Follower(), Follower()
        joined = group.add(member, positions=True)
        group.add(sender, positions=True)
        group.send("one")
        group.send("two", keep=False)
        group.send("three", exclude=sender)
        asyncio.run(group.asend("four"))
        group.close(4000, "over")
        end = Closing(4000, "over")
        assert member.take(6) == [True, "one", "two", "three", "four", end]
        assert sender.take(5) == [True, "one", "two", "four", end]
        assert there.take(6) == [True, "one", "two", "three", "four", end]
        assert group.history(joined.position).messages == ["one", "three", "four"]
        with pytest.raises(UnicodeEncodeError):
            group.send("half a pair: \ud800")
        group.discard(member)
        group.discard(sender)
