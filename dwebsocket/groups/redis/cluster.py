"""Redis Cluster: sharded publish and subscribe."""

from __future__ import annotations

import sys
from inspect import signature
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.cluster import ClusterNode

from dwebsocket.conf import conf

from .client import (
    OURS,
    Client,
    check_options,
    lift_limit,
    limits,
    patience_within,
    without_password,
)

__all__ = ["ClusterClient", "addresses"]

#: redis-py's for a cluster, which a connection does not have.
CLUSTER_OPTIONS = set(signature(redis.RedisCluster).parameters) - set(
    signature(redis.Redis).parameters
)


#: Besides asking each node: waiting for others, a connection, the answer, and some reserve.
STEPS = 4


class ClusterClient(Client):
    """Sharded publish and subscribe: a message goes to one node, not to all of them."""

    sharded = True
    is_quick = False  # when a node does not answer redis-py asks the others, one by one
    publishing = "SPUBLISH"

    def __init__(self, locations: list[str], given: dict[str, Any]) -> None:
        self._addresses = addresses(locations, 6379)
        self._location, self._given = locations[0], given
        self._timeout = conf.SEND_TIMEOUT
        others = {key: value for key, value in given.items() if key not in CLUSTER_OPTIONS}
        pool = redis.ConnectionPool.from_url(locations[0], **{**limits(self._timeout), **others})
        pool.connection_kwargs.update(OURS)  # whatever the URL says
        check_options(pool)
        self._pool = pool
        shown, publishers = ", ".join(map(without_password, locations)), lift_limit(pool)
        patience = patience_within(limits(self._timeout)["socket_timeout"], given)
        super().__init__(shown, self._connect, None, publishers, patience)

    def _connect(self) -> Any:
        """When a node does not answer redis-py asks all the others, one by one: so the more there
        are, the less time each has.
        """
        made = self._connect_within(limits(self._timeout, len(self._addresses) + STEPS))
        nodes = len(made.get_nodes())
        if nodes > len(self._addresses):
            made.close()
            made = self._connect_within(limits(self._timeout, nodes + STEPS))
        return made

    def _connect_within(self, bounds: dict[str, Any]) -> Any:
        nodes = [ClusterNode(*one) for one in self._addresses]  # type: ignore[no-untyped-call]
        given = {**bounds, **self._given, "max_connections": sys.maxsize, "startup_nodes": nodes}
        return redis.RedisCluster.from_url(self._location, **given)

    def publish(self, channel: str, data: bytes) -> None:
        self._take_turn()
        try:
            self._client.spublish(channel, data)
        finally:
            self._turns.release()

    @property
    def _commanding(self) -> Any:
        return self._client

    def count_subscribers(self, channel: str) -> int:
        node = self._client.get_node_from_key(channel)
        ((_, count),) = self._client.pubsub_shardnumsub(channel, target_nodes=node)
        return int(count)

    def check(self, node: str) -> str:
        self.look_for_nodes()
        if not node:
            return "is back"
        found = self._client.get_node(node_name=node)
        if found is None:
            return "is replaced by other nodes"
        self._client.get_redis_connection(found).ping()
        return "is back"

    @property
    def knows_nodes(self) -> bool:
        return self._made is not None

    def node_of(self, channel: str) -> str:
        name: str = self._client.get_node_from_key(channel).name
        return name

    def look_for_nodes(self) -> None:
        self._client.nodes_manager.initialize()

    def show(self, node: str) -> str:
        return f"{self.shown}, node {node}," if node else self.shown

    def pubsub(self, node: str) -> Any:
        """On a connection of its own: redis-py has those to a node made anew whenever it asks the
        cluster for its nodes, and then subscribes in a way that a cluster does not allow.
        """
        found = self._client.get_node(node_name=node)
        if found is None:
            raise redis.ConnectionError(f"the cluster has no node {node} any more")
        pool = self._pool
        address = {"host": found.host, "port": found.port}
        own: Any = type(pool)(pool.connection_class, **{**pool.connection_kwargs, **address})
        return redis.Redis(connection_pool=own).pubsub()  # type: ignore[no-untyped-call]


def addresses(locations: list[str], port: int) -> list[tuple[str, int]]:
    """Hosts and ports of these URLs.

    Raises:
        ValueError: one has no host.
    """
    found = [(urlsplit(one).hostname or "", urlsplit(one).port or port) for one in locations]
    if "" in dict(found):
        raise ValueError("each must be a URL such as 'redis://host:6379'")
    return found
