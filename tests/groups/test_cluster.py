"""A cluster: sharded publish and subscribe, one listener for each node."""

import asyncio
import socket
import threading
import time
from contextlib import ExitStack
from itertools import count

import pytest
from django.test import override_settings

from dwebsocket import Group
from dwebsocket.exceptions import GroupUnavailable

from ..servers.process import find_free_port, wait_until
from ..servers.redis import BACKEND, redis_servers
from .peers import BUSY, Member, check_order, patient
from .test_processes import NO_PINGS, WORKERS, Site, row_of_workers

SEND_TIMEOUT = 2.0

#: So many that each node has some.
NAMES = [f"group {number}" for number in range(12)]

marks = count(1)


class Node:
    def __init__(self, make_redis):
        self.port, self.bus = find_free_port(), find_free_port()
        self.redis = make_redis(
            *("--port", str(self.port), "--cluster-enabled", "yes"),
            *("--cluster-port", str(self.bus), "--cluster-node-timeout", "30000"),
            *("--repl-diskless-sync-delay", "0"),
        )
        self.redis.start()
        self.command, self.kill = self.redis.command, self.redis.kill
        self.id = self.command("CLUSTER", "MYID")

    def knows(self, nodes):
        state = self.command("CLUSTER", "INFO").split()
        return {"cluster_state:ok", f"cluster_known_nodes:{nodes}"} <= set(state)

    def channels(self):
        return self.command("PUBSUB", "SHARDCHANNELS")


class Cluster:
    """Three nodes with a third of the slots each, and a replica of the first."""

    def __init__(self, make_redis):
        self.nodes = [Node(make_redis) for _ in range(3)]
        self.replica = Node(make_redis)
        first, *others = everybody = [*self.nodes, self.replica]
        for epoch, node in enumerate(everybody, 1):  # or they come to terms about it later
            node.command("CLUSTER", "SET-CONFIG-EPOCH", epoch)
        for node, slots in zip(self.nodes, ((0, 5460), (5461, 10922), (10923, 16383)), strict=True):
            node.command("CLUSTER", "ADDSLOTSRANGE", *slots)
        for node in others:
            first.command("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus)
        wait_until(lambda: all(one.knows(4) for one in everybody), "the nodes meet", timeout=20)
        self.replica.command("CLUSTER", "REPLICATE", first.id)
        wait_until(
            lambda: (
                self.replica.command("INFO", "replication")["master_link_status"] == "up"
                and all("slave" in str(one.command("CLUSTER", "NODES")) for one in everybody)
            ),
            "the replica follows",
            timeout=20,
        )
        self.setting = {
            "BACKEND": BACKEND,
            "LOCATION": [f"redis://127.0.0.1:{node.port}" for node in self.nodes[:2]],
            "OPTIONS": {"CLUSTER": True},
        }

    def fail(self):
        """The first node is gone, and its replica takes over. Only meanwhile one has failed to the
        others that was silent for a second, as any may be on a busy machine.
        """
        left = [*self.nodes[1:], self.replica]
        for node in left:
            node.command("CONFIG", "SET", "cluster-node-timeout", 1000)
        self.nodes[0].kill()
        wait_until(
            lambda: self.replica.command("ROLE")[0] == "master",
            "the replica takes over",
            timeout=60,
        )
        for node in left:
            node.command("CONFIG", "SET", "cluster-node-timeout", 30_000)

    def move(self, slot):
        """To another node, as resharding does for a slot without keys."""
        owner = self.owner(slot)
        other = self.nodes[owner - 1]
        for node in (other, self.nodes[owner], *self.nodes):
            node.command("CLUSTER", "SETSLOT", slot, "NODE", other.id)

    @staticmethod
    def owner(slot):
        return 0 if slot <= 5460 else 1 if slot <= 10922 else 2


@pytest.fixture(scope="module")
def cluster(test_directory):
    """One whose nodes do not fail: they are waited for, as each answers nobody while it writes to
    the disk what it knows of the others.
    """
    with redis_servers(test_directory) as make_redis:
        cluster = Cluster(make_redis)
        cluster.setting = patient(cluster.setting)
        yield cluster


def join_all(peer):
    return {name: peer.join(name) for name in NAMES}


def wait_until_heard(sender, members):
    """Each of the groups anew; what still comes of earlier tries is taken out."""
    for name, member in members.items():
        wait_until(lambda: is_heard(sender, name, member), f"{name} is heard", timeout=10)  # noqa: B023
        last = f"last {next(marks)}"
        sender.publish(name, last)
        while member.next() != last:
            pass


def is_heard(sender, name, member):
    try:
        sender.publish(name, "again")
        return member.next(timeout=0.1) == "again"
    except (GroupUnavailable, TimeoutError):
        return False


def test_three_nodes(cluster, make_peer):
    here, there = make_peer(cluster.setting), make_peer(cluster.setting)
    members = join_all(there)
    for name, member in members.items():
        check_order(here, member, name=name, count=20)
    for node in cluster.nodes:  # each has some of the groups, as long as they have members
        one, other, *_ = (name for name in NAMES if f"dwebsocket:{name}" in node.channels())
        there.leave(one, members[one])
        check_order(here, members[other], name=other, count=1)
        wait_until(lambda: f"dwebsocket:{one}" not in node.channels(), "nobody listens")  # noqa: B023


def test_a_node_fails_and_its_replica_takes_over(make_redis, make_peer, caplog):
    caplog.set_level("INFO", "dwebsocket.groups")
    cluster = Cluster(make_redis)
    here, there = make_peer(cluster.setting), make_peer(cluster.setting)
    members = join_all(there)  # which never sends: only its listeners can notice
    cluster.fail()
    wait_until_heard(here, members)
    for name, member in members.items():
        check_order(here, member, name=name, count=20)
    # One pair of those who listen there, and perhaps one of those who have sent from here too soon.
    levels = [record.levelname for record in caplog.records]
    assert 1 <= levels.count("WARNING") == levels.count("INFO") <= 2, caplog.text


@pytest.fixture
def silent():
    """The setting of a cluster that takes connections and never says anything."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        ports = [listener.getsockname()[1] for listener in listeners]
        yield {
            "BACKEND": BACKEND,
            "LOCATION": [f"redis://127.0.0.1:{port}" for port in ports],
            "OPTIONS": {"CLUSTER": True},
        }


def seconds_of(function, *arguments):
    begun = time.monotonic()
    function(*arguments)
    return time.monotonic() - begun


def check_unavailable(publish, name):
    begun = time.monotonic()
    with pytest.raises(GroupUnavailable):
        publish(name, "never")
    assert time.monotonic() - begun < SEND_TIMEOUT + BUSY


@pytest.mark.usefixtures("usual_patience")
def test_a_silent_cluster_stops_no_event_loop(silent):
    async def come_and_go(name):
        member = Member()
        return seconds_of(Group(name).add, member) + seconds_of(Group(name).discard, member)

    with override_settings(WEBSOCKET_GROUPS=silent, WEBSOCKET_SEND_TIMEOUT=SEND_TIMEOUT):
        assert [asyncio.run(come_and_go(name)) < 0.8 for name in "aab"] == [True] * 3


@pytest.mark.usefixtures("usual_patience")
def test_a_silent_cluster_is_not_waited_for_long(silent, make_peer, caplog):
    peer = make_peer(silent, WEBSOCKET_SEND_TIMEOUT=SEND_TIMEOUT)
    for name in "aab":
        assert seconds_of(peer.join, name) < 1 + BUSY
        check_unavailable(peer.publish, name)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.usefixtures("usual_patience")
def test_nobody_is_told_of_a_cluster_that_is_used_no_more(silent, make_peer, caplog):
    peer = make_peer(silent, WEBSOCKET_SEND_TIMEOUT=0.5)
    asyncio.run(join(peer, "a"))
    peer.close()
    wait_until(lambda: not is_routing(), "it is asked for its nodes in vain", timeout=5)
    assert not caplog.records


async def join(peer, name):
    peer.join(name)


def is_routing():
    return any(thread.name == "dwebsocket-routing" for thread in threading.enumerate())


@pytest.mark.usefixtures("usual_patience")
def test_all_nodes_fall_silent(make_redis, make_peer):
    """All are asked, one by one, those that the setting does not name as well."""
    cluster = Cluster(make_redis)
    setting = {**cluster.setting, "LOCATION": cluster.setting["LOCATION"][:1]}
    here, there = (make_peer(setting, WEBSOCKET_SEND_TIMEOUT=SEND_TIMEOUT) for _ in "ab")
    for name, member in join_all(there).items():
        check_order(here, member, name=name, count=1)
    everybody = (*cluster.nodes, cluster.replica)
    for node in everybody:
        node.redis.pause()
    for name in NAMES[:4]:
        check_unavailable(here.publish, name)
    # A second, and of a machine that is busy just then a second try.
    assert min(seconds_of(there.join, name) for name in ("new", "newer")) < 1.2
    for node in everybody:
        node.redis.resume()


def test_a_setting_of_a_cache_that_decodes(cluster, make_peer):
    """What is carried is bytes, whatever it says."""
    first, *others = cluster.setting["LOCATION"]
    location = [f"{first}?decode_responses=True", *others]
    here, there = (make_peer({**cluster.setting, "LOCATION": location}) for _ in "ab")
    check_order(here, there.join(NAMES[0]), name=NAMES[0], count=10)


def test_a_slot_moves(cluster, make_peer, caplog):
    here, there, late = (make_peer(cluster.setting) for _ in range(3))
    members = join_all(there)
    late.join(NAMES[1])  # it knows where the slots were
    cluster.move(cluster.nodes[0].command("CLUSTER", "KEYSLOT", f"dwebsocket:{NAMES[0]}"))
    wait_until_heard(here, members)
    wait_until_heard(here, {NAMES[0]: late.join(NAMES[0])})
    for name, member in members.items():
        wait_until_heard(here, {name: member})
        check_order(here, member, name=name, count=20)
    assert not caplog.records


def test_server_processes(cluster, start_server):
    settings = {"WEBSOCKET_GROUPS": cluster.setting, **NO_PINGS}
    server = start_server(row_of_workers("gunicorn-gthread"), settings)
    site = Site(server)
    members = site.join_everywhere()
    channel = f"dwebsocket:{site.name}"

    def listeners():
        return sum(node.command("PUBSUB", "SHARDNUMSUB", channel)[1] for node in cluster.nodes)

    wait_until(lambda: listeners() == WORKERS, "all listen")  # joining waits a second at most
    for sender in members[:3]:
        sender.send_text('["send_many", 50, 20]')
        for member in members:
            assert [int(member.read_text()[:6]) for _ in range(50)] == list(range(50))
    site.close()
    server.stop()
    assert not server.log.find_faults(), server.log.text()


def test_who_listens_is_counted(make_redis, make_peer):
    setting = patient(Cluster(make_redis).setting)
    first, second = make_peer(setting), make_peer(setting)
    first.join("a")
    second.join("a")
    wait_until(lambda: first.backend.count_listeners("a") == 2, "both are counted")
    assert first.backend.count_listeners("b") == 0
