"""What groups remember in Redis, and how it reaches all processes: once, in order, or they are told."""

import threading
import time

import pytest

from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.base import Closing
from dwebsocket.groups.history import Rule

from ..servers.process import wait_until
from .peers import TIMEOUT, Follower, Member


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
