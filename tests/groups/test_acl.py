"""Redis lets the user have some channels only."""

import re
import time

import pytest

from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.redis.scripts import RIGHTS

from ..docs.pages import page
from ..servers.process import wait_until
from ..servers.redis import BACKEND
from .peers import check_order
from .test_cluster import NAMES, cluster

__all__ = ["cluster"]

PAGE = page("docs/howto/groups.md").prose

#: What the page tells to give to the user "chat" of the prefix "mysite"; and more, for a cluster.
[ONE_REDIS] = re.findall(r"`ACL SETUSER (chat on >secret resetchannels &mysite:\* -@all .*)`", PAGE)
[FOR_A_CLUSTER] = re.findall(r"the same, and `(\+ssubscribe .*)`", PAGE)

[TO_REMEMBER] = re.findall(r"`(~mysite:\* \+eval .*)`", PAGE)

WARNING = "it does not let this user subscribe to every group"


class Limited:
    """A Redis, and the user of the page, who may use these channels besides."""

    def __init__(self, make_redis, *channels, prefix="mysite"):
        self.redis = make_redis()
        self.redis.start()
        self.redis.command("ACL", "SETUSER", *ONE_REDIS.split(), *channels)
        self.setting = {
            "BACKEND": BACKEND,
            "LOCATION": f"unix://chat:secret@{self.redis.path}",
            "OPTIONS": {"PREFIX": prefix},
        }

    def listeners(self):
        clients = self.redis.command("CLIENT", "LIST", "TYPE", "PUBSUB").splitlines()
        return {client.split()[0] for client in clients}


@pytest.fixture
def some_groups(make_redis):
    """Those whose names begin with "chat"; the listeners' own channels are like those of groups."""
    return Limited(make_redis, "&other:chat*", "&other:wake:*", prefix="other")


def warnings(caplog):
    return [record.levelname for record in caplog.records if WARNING in record.getMessage()]


def test_a_user_of_one_prefix(make_redis, make_peer, caplog):
    setting = Limited(make_redis).setting
    here, there = make_peer(setting), make_peer(setting)
    members = {name: there.join(name) for name in ("a", "b")}  # the second wakes the listener
    for name, member in members.items():
        check_order(here, member, name=name)
    there.leave("a", members["a"])
    check_order(here, there.join("c"), name="c")
    assert not caplog.records


def test_a_user_of_a_cluster(cluster, make_peer, caplog):
    for node in (*cluster.nodes, cluster.replica):
        node.command("ACL", "SETUSER", *ONE_REDIS.split(), *FOR_A_CLUSTER.split())
    locations = [one.replace("//", "//chat:secret@") for one in cluster.setting["LOCATION"]]
    options = {**cluster.setting["OPTIONS"], "PREFIX": "mysite"}
    setting = {**cluster.setting, "LOCATION": locations, "OPTIONS": options}
    here, there = make_peer(setting), make_peer(setting)
    members = {name: there.join(name) for name in NAMES}
    for name, member in members.items():
        check_order(here, member, name=name, count=10)
    there.leave(NAMES[0], members[NAMES[0]])
    check_order(here, there.join(NAMES[0]), name=NAMES[0])
    for node in (*cluster.nodes, cluster.replica):
        node.command("ACL", "SETUSER", "chat", *TO_REMEMBER.split())
    for name in NAMES:
        check_history(here, there, f"{name} that remembers")
    assert not caplog.records


def check_history(here, there, name):
    """Everything that needs a script."""
    member = there.follow(name)
    here.keep(name, "one")
    here.backend.publish_behind(name, "two", None)
    assert member.take(3) == [True, "one", "two"]
    again = there.follow(name, member.joined.position)
    assert again.take(2) == [True, "one"]
    there.backend.history.feeds.interrupt(name)
    here.keep(name, "three")
    assert member.next() == "three"


def test_a_user_of_groups_that_remember(make_redis, make_peer, caplog):
    limited = Limited(make_redis, *TO_REMEMBER.split())
    here, there = make_peer(limited.setting), make_peer(limited.setting)
    check_history(here, there, "a")
    there.backend._store.renew("a", there.follow("a").joined.position.partition(":")[0])
    assert not caplog.records
    assert f"~mysite:* {RIGHTS}" == TO_REMEMBER


@pytest.mark.parametrize("rights", ["", f"~other:* {RIGHTS}", "~mysite:* +eval +evalsha +time"])
def test_a_user_who_may_not_have_groups_that_remember(make_redis, make_peer, caplog, rights):
    """It is said what is missing, at once, and the other groups go on."""
    limited = Limited(make_redis, *rights.split())
    here, there = make_peer(limited.setting), make_peer(limited.setting)
    member = there.join("plain")
    begun = time.monotonic()
    what = r"ermission.*|user executing.*"
    for act in (lambda: here.keep("a", "never"), lambda: there.follow("a")):
        with pytest.raises(GroupUnavailable, match=what) as raised:
            act()
        assert f"ACL SETUSER … {TO_REMEMBER}" in str(raised.value)
    assert time.monotonic() - begun < 2
    check_order(here, member, name="plain")
    assert not caplog.records


def test_a_refused_group_is_not_the_others_loss(some_groups, make_peer, caplog):
    here, there = make_peer(some_groups.setting), make_peer(some_groups.setting)
    member = there.join("chat 1")
    check_order(here, member, name="chat 1")
    listeners = some_groups.listeners()
    begun = time.monotonic()
    for name in ("lobby", "hall", "lobby", "hall"):
        there.join(name)
        check_order(here, member, name="chat 1", count=10)
    assert time.monotonic() - begun < 2  # nobody has waited for a confirmation, a second each
    check_order(here, there.join("chat 2"), name="chat 2")
    assert some_groups.listeners() == listeners
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert warnings(caplog) == ["WARNING"]
    assert there.backend.get_counts().lost == 0


def test_a_refused_group_among_many_on_connecting(some_groups, make_peer, caplog):
    """More than are asked for at a time: it is refused together with others, which are not."""
    here, there = make_peer(some_groups.setting), make_peer(some_groups.setting)
    names = [f"chat {number}" for number in range(1100)]
    members = {name: there.add(name) for name in names}
    there.join("lobby")  # this one connects
    listeners = some_groups.listeners()
    hear_all(some_groups, here, members)
    assert some_groups.listeners() == listeners
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    some_groups.redis.command("CLIENT", "KILL", "TYPE", "PUBSUB")
    wait_until(lambda: len(some_groups.listeners()) == 1, "it connects again")
    listeners = some_groups.listeners()
    hear_all(some_groups, here, members)
    assert some_groups.listeners() == listeners
    assert warnings(caplog) == ["WARNING"]


def hear_all(limited, sender, members):
    """Every group is subscribed to, and what is sent to it arrives."""

    def is_subscribed():
        return len(limited.redis.command("PUBSUB", "CHANNELS", "*:chat*")) == len(members)

    wait_until(is_subscribed, "all that are allowed", timeout=10)
    for name, member in members.items():
        check_order(sender, member, name=name, count=1)
