"""Presence in the Redis of a cluster, of Sentinels, and of a user with few rights."""

import re

import pytest
from django.test import override_settings

from ..docs.pages import page
from ..servers.process import wait_until
from .peers import Member
from .presence import SOON, Process, becomes, faults
from .test_acl import Limited
from .test_cluster import NAMES, cluster
from .test_sentinel import Watched

__all__ = ["cluster"]

PAGE = page("docs/howto/presence.md").prose

#: What the page tells to give to a user besides.
[RIGHTS] = re.findall(r"`(~mysite:\*)`, and `(\+set [^`]*)`", PAGE)


@pytest.fixture(autouse=True)
def short_grace():
    faults.clear()
    with override_settings(WEBSOCKET_PRESENCE_GRACE=1.0):
        yield
    assert not faults


def check_presence(here, there, names):
    """What one tracks another hears of."""
    hearers = {name: there.hear(name) for name in names}
    tabs = {name: here.track(Member(), name, {"in": name}, name=name) for name in names}
    for name, hearer in hearers.items():
        becomes({name: {"in": name}}, hearer)
        assert there.present(name) == hearer.picture
    here.leave(tabs[names[0]])
    becomes({}, hearers[names[0]])
    return hearers


def test_a_cluster(cluster, make_peer):
    here, there = Process(make_peer(cluster.setting)), Process(make_peer(cluster.setting))
    check_presence(here, there, NAMES)


def test_another_redis_takes_over(make_redis, make_peer):
    watched = Watched(make_redis)
    here, there = Process(make_peer(watched.setting)), Process(make_peer(watched.setting))
    hearers = check_presence(here, there, ["a", "b"])
    watched.fail()
    wait_until(watched.has_switched, "the replica takes over", timeout=60)
    here.track(Member(), "later", name="b")
    becomes({"b": {"in": "b"}, "later": None}, hearers["b"], timeout=60)
    wait_until(lambda: there.present("b") == hearers["b"].picture, "it is known", SOON)


def test_a_user_with_few_rights(make_redis, make_peer, caplog):
    keys, commands = RIGHTS
    setting = Limited(make_redis, keys, *commands.split()).setting
    here, there = Process(make_peer(setting)), Process(make_peer(setting))
    check_presence(here, there, ["a", "b"])
    assert not caplog.records
