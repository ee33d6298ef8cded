"""Clients of redis-py, as ``LOCATION`` and ``OPTIONS`` describe them: one server, one that
Sentinels name, or a cluster.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from dwebsocket.conf import conf
from dwebsocket.exceptions import InvalidGroupBackend

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError as error:
    raise InvalidGroupBackend(
        "the Redis backend for groups needs redis-py: pip install 'dwebsocket[redis]'"
    ) from error

__all__ = ["ERRORS", "Client", "create_client"]

#: What redis-py raises when Redis cannot be reached or does not answer.
ERRORS = (redis.RedisError, redis.exceptions.RedisClusterException, OSError)

#: Connections a process uses for publishing, at most; more publishers wait for one.
MAX_CONNECTIONS = 50

#: The options of ours; all others are redis-py's.
OWN_OPTIONS = ("CLUSTER", "PREFIX", "SENTINEL")


class Client:
    """What we do with Redis.

    Attributes:
        shown: where it is, for messages: without a password.
    """

    sharded = False

    def __init__(self, shown: str, make: Callable[[], Any]) -> None:
        self.shown = shown
        self._make = make
        self._made: Any = None
        self._lock = threading.Lock()

    @property
    def _client(self) -> Any:
        """redis-py's; that of a cluster asks the cluster for its nodes when it is made."""
        if self._made is None:
            with self._lock:
                if self._made is None:
                    self._made = self._make()
        return self._made

    def publish(self, channel: str, data: bytes) -> None:
        """To those who have subscribed to it in whatever way ``subscribe`` does."""
        self._client.publish(channel, data)

    def publish_to_all(self, channel: str, data: bytes) -> None:
        """To those who have subscribed to it by SUBSCRIBE, on whatever node."""
        self._client.publish(channel, data)

    def node_of(self, channel: str) -> str:
        """Where a channel lives: each node has a listener of its own."""
        return ""

    def pubsub(self, node: str) -> Any:
        """A subscriber on that node."""
        return self._client.pubsub()

    def close(self) -> None:
        """Give all connections back."""
        if self._made is not None:
            self._made.close()


class ClusterClient(Client):
    """Sharded publish and subscribe: a message goes to one node, not to all of them."""

    sharded = True

    def publish(self, channel: str, data: bytes) -> None:
        self._client.spublish(channel, data)

    def node_of(self, channel: str) -> str:
        name: str = self._client.get_node_from_key(channel).name
        return name

    def pubsub(self, node: str) -> Any:
        found = self._client.get_node(node_name=node)
        if found is None:
            raise redis.ConnectionError(f"the cluster has no node {node} any more")
        return self._client.get_redis_connection(found).pubsub()


def create_client(location: Any, options: Mapping[str, Any]) -> Client:
    """A client; it connects when it is used.

    Raises:
        InvalidGroupBackend: the setting does not say where Redis is.
    """
    given = {key: value for key, value in options.items() if key not in OWN_OPTIONS}
    for key in given:
        if key.isupper():
            raise InvalidGroupBackend(
                f"WEBSOCKET_GROUPS: there is no option {key!r}; ours are "
                f"{', '.join(map(repr, OWN_OPTIONS))}, those in small letters are redis-py's"
            )
    given = {**defaults(), **given}
    try:
        if options.get("SENTINEL"):
            return create_by_sentinels(location, options["SENTINEL"], given)
        if not isinstance(location, str) or "://" not in location:
            raise ValueError("it must be a URL such as 'redis://localhost:6379/0'")
        if options.get("CLUSTER"):
            make = partial(redis.RedisCluster.from_url, location, **given)
            return ClusterClient(without_password(location), make)
        given.setdefault("max_connections", MAX_CONNECTIONS)
        pool = redis.BlockingConnectionPool.from_url(
            location, timeout=given["socket_timeout"], **given
        )
        pool.connection_class(**pool.connection_kwargs)  # tells of an option that does not exist
        return Client(without_password(location), partial(redis.Redis.from_pool, pool))
    except (ValueError, TypeError) as error:
        raise InvalidGroupBackend(f"WEBSOCKET_GROUPS, LOCATION {location!r}: {error}") from error


def create_by_sentinels(location: Any, service: str, given: dict[str, Any]) -> Client:
    locations = [location] if isinstance(location, str) else list(location or ())
    addresses = [(urlsplit(one).hostname, urlsplit(one).port or 26379) for one in locations]
    if not addresses or None in dict(addresses):
        raise ValueError("with SENTINEL it must be a list of URLs such as 'redis://host:26379'")
    first = urlsplit(locations[0])
    sentinels: Any = redis.Sentinel(  # type: ignore[no-untyped-call]
        addresses,
        sentinel_kwargs={
            "socket_timeout": given["socket_timeout"],
            "username": first.username,
            "password": first.password,
            "ssl": first.scheme == "rediss",
        },
    )
    return Client(f"{service!r} of {addresses}", partial(sentinels.master_for, service, **given))


def defaults() -> dict[str, Any]:
    """Nothing is sent twice, and nothing lasts longer than WEBSOCKET_SEND_TIMEOUT: waiting for a
    connection, opening it (which takes as long by default), and the answer may each take a third.
    """
    timeout = conf.SEND_TIMEOUT
    part = None if timeout is None else timeout / 3
    return {
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": part,
    }


def without_password(location: str) -> str:
    parts = urlsplit(location)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
