"""What groups remember moves to another Redis, or most of it: in a cluster, and by Sentinels."""

import pytest
import redis

from dwebsocket.groups.redis.scripts import find_keys

from ..servers.process import wait_until
from .pages import Page, Traffic, traffic
from .peers import patient
from .test_cluster import NAMES, Cluster, cluster
from .test_redis_history_faults import check, check_last, open_all, wait_for_traffic
from .test_sentinel import Watched

__all__ = ["cluster"]


def test_each_node_has_some(cluster, make_peer):
    here, there = make_peer(cluster.setting), make_peer(cluster.setting)
    for name in (*NAMES, "a{b}c", "}{"):
        member, left_out = there.follow(name), here.follow(name)
        for number in range(20):
            here.keep(name, str(number), exclude=left_out)
        here.backend.publish_behind(name, "end", None)
        assert member.take(22) == [True, *map(str, range(20)), "end"]
        assert left_out.take(2) == [True, "end"]
        again = there.follow(name, member.joined.position)
        assert again.take(21) == [True, *map(str, range(20))]
    assert all(node.command("DBSIZE") > 2 for node in cluster.nodes)


def test_a_slot_moves_with_what_is_in_it(cluster, make_peer):
    """As resharding does it, under traffic."""
    peers = [make_peer(cluster.setting) for _ in range(3)]
    pages = open_all(peers)
    slot = cluster.nodes[0].command("CLUSTER", "KEYSLOT", "dwebsocket:a")
    with traffic(peers[0], rate=100) as sending:
        wait_for_traffic(sending)
        reshard(cluster, slot)
        wait_for_traffic(sending)
    check(pages, sending)
    assert [page.times_told() for page in pages] == [0, 0, 0]
    assert len(sending.refused) < 20


def reshard(cluster, slot):
    owner = cluster.owner(slot)
    old, new = cluster.nodes[owner], cluster.nodes[owner - 1]
    new.command("CLUSTER", "SETSLOT", slot, "IMPORTING", old.id)
    old.command("CLUSTER", "SETSLOT", slot, "MIGRATING", new.id)
    while keys := old.command("CLUSTER", "GETKEYSINSLOT", slot, 100):
        old.command("MIGRATE", "127.0.0.1", new.port, "", 0, 5000, "KEYS", *keys)
    cluster.move(slot)


def test_the_replica_of_a_node_takes_over(make_redis, make_peer):
    cluster = Cluster(make_redis)
    peers = [make_peer(patient(cluster.setting), WEBSOCKET_SEND_TIMEOUT=2) for _ in range(3)]
    name = next(name for name in NAMES if lives_on_first(cluster, name))
    pages = [Page(peer, name) for peer in peers]
    assert all(page.open() for page in pages)
    sending = Traffic(peers[0], rate=100, name=name)
    for _ in range(50):
        assert sending.send()
    key = find_keys("dwebsocket:", name)[0]
    wait_until(lambda: has(cluster.replica, key, 50), "the replica has all", timeout=10)
    cluster.fail()
    check(pages, sending)
    assert [page.times_told() for page in pages] == [0, 0, 0]


def lives_on_first(cluster, name):
    return cluster.owner(cluster.replica.command("CLUSTER", "KEYSLOT", f"dwebsocket:{name}")) == 0


def has(replica, key, count):
    """A replica in a cluster answers those who say READONLY."""

    with redis.Redis(
        unix_socket_path=str(replica.redis.path), single_connection_client=True
    ) as one:
        one.execute_command("READONLY")
        return one.xlen(key) == count


@pytest.mark.parametrize("count", [1, 3, 6])
def test_a_replica_that_lacks_the_last_ones_takes_over(make_redis, make_peer, count):
    """Fewer are sent before anybody looks than were lost, as many, or more."""
    watched = Watched(make_redis)
    setting = patient(watched.setting)
    here, there, newcomer = (make_peer(setting, WEBSOCKET_SEND_TIMEOUT=5) for _ in range(3))
    pages = open_all([here, there])
    sending = Traffic(here, rate=100)
    for _ in range(5):
        assert sending.send()
    key = find_keys("dwebsocket:", "a")[0]
    wait_until(lambda: watched.replica.command("XLEN", key) == 5, "the replica has all")
    watched.replica.pause()
    watched.redis.command("CLIENT", "KILL", "TYPE", "replica")
    for _ in range(3):
        assert sending.send()
    check_last(pages, sending)
    watched.fail()
    watched.replica.resume()
    wait_until(watched.has_switched, "the replica takes over", timeout=60)
    sending.peer = newcomer  # it knows nothing of what was lost
    wait_until(sending.send, "Redis is back", timeout=20)
    for _ in range(count - 1):
        assert sending.send()
    wait_until(lambda: all(page.has("") or page.times_told() for page in pages), "told", timeout=20)
    check(pages, sending)
    assert [page.times_told() for page in pages] == [1, 1]
