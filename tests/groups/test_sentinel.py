"""Sentinels name the Redis, and another one when that has failed."""

from urllib.parse import quote

import pytest
import redis

from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.redis.clients import Sentinels

from ..servers.process import find_free_port, wait_until
from ..servers.redis import BACKEND
from .peers import check_many_at_once, check_order, patient

SERVICE = "mymaster"
PASSWORD = "f%r/st"  # of the Sentinel


class Watched:
    """A Redis, its replica, and a Sentinel, all with passwords; a further Sentinel is away."""

    def __init__(self, make_redis):
        ports = [find_free_port() for _ in range(2)]
        access = ("--masterauth", "secret", "--repl-diskless-sync-delay", "0")
        self.redis, self.replica = (
            make_redis("--port", str(port), *access, password="secret") for port in ports
        )
        self.redis.start()
        self.replica.start()
        self.replica.command("REPLICAOF", "127.0.0.1", ports[0])
        wait_until(self._is_replicating, "the replica follows", timeout=30)
        configuration = f"""
            sentinel monitor {SERVICE} 127.0.0.1 {ports[0]} 1
            sentinel auth-pass {SERVICE} secret
            sentinel down-after-milliseconds {SERVICE} 60000
        """
        port = find_free_port()
        self.sentinel = make_redis(
            "--sentinel", "--port", str(port), password=PASSWORD, configuration=configuration
        )
        self.sentinel.start()
        # It asks each ten seconds, and not for half a minute once it has stood still itself.
        wait_until(self._is_watched, "the Sentinel knows the replica", timeout=60)
        self.setting = {
            "BACKEND": BACKEND,
            "LOCATION": [
                f"redis://:{quote(PASSWORD, safe='')}@127.0.0.1:{port}"
                for port in (find_free_port(), port)
            ],
            "OPTIONS": {"SENTINEL": SERVICE, "password": "secret"},
        }

    def _is_replicating(self):
        return self.replica.command("INFO", "replication")["master_link_status"] == "up"

    def _is_watched(self):
        return len(self.sentinel.command("SENTINEL", "REPLICAS", SERVICE)) == 1

    def fail(self):
        """The Redis is gone, and the Sentinel, which did not care about a paused one, will see."""
        # It asks each second only: with less time it takes the new Redis for down before it has
        # asked it at all, and names none.
        self.sentinel.command("SENTINEL", "SET", SERVICE, "down-after-milliseconds", 2000)
        self.redis.kill()

    def has_switched(self):
        return self.replica.command("ROLE")[0] == "master"


def test_another_redis_takes_over(make_redis, make_peer, caplog):
    caplog.set_level("INFO", "dwebsocket.groups")
    watched = Watched(make_redis)
    setting = patient(watched.setting)
    peers = [make_peer(setting, WEBSOCKET_SEND_TIMEOUT=5) for _ in range(3)]
    members = [peer.join("a") for peer in peers]
    check_order(peers[0], *members[1:])
    check_many_at_once(watched.redis, make_peer(setting), *members)
    watched.fail()
    wait_until(watched.has_switched, "the replica takes over", timeout=60)
    wait_until(
        lambda: [record.levelname for record in caplog.records].count("INFO") == 3,
        "everybody listens again",
        timeout=20,
    )
    check_order(peers[0], *members[1:])
    check_order(peers[1], members[0], members[2])
    levels = [record.levelname for record in caplog.records]
    assert sorted(levels) == ["INFO"] * 3 + ["WARNING"] * 3, caplog.text


def test_a_wrong_password_of_the_sentinels(make_redis, make_peer):
    setting = Watched(make_redis).setting
    locations = [one.replace("f%25r", "g") for one in setting["LOCATION"]]
    with pytest.raises(GroupUnavailable, match=r"does not accept the user name and password of L"):
        make_peer({**setting, "LOCATION": locations}).publish("a", "never")


class Known:
    """A Sentinel that knows the service; or, with ``meanwhile``, is away, which takes a while."""

    def __init__(self, meanwhile=None):
        self.meanwhile = meanwhile

    def sentinel_masters(self):
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, lambda: None
            meanwhile()
            raise redis.ConnectionError("away")
        state = {"ip": "10.0.0.1", "port": 1, "num-other-sentinels": 0}
        return {SERVICE: {**state, "is_master": True, "is_sdown": False, "is_odown": False}}


def test_each_is_asked_although_another_thread_asks_meanwhile():
    """Who has an answer puts its Sentinel first, while others go through the list."""
    sentinels = Sentinels([])
    sentinels.sentinels = [Known(lambda: sentinels.discover_master(SERVICE)), Known()]
    assert sentinels.discover_master(SERVICE) == ("10.0.0.1", 1)
    assert sentinels.sentinels[0].meanwhile is None
