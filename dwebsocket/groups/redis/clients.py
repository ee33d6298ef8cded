"""Clients of redis-py, as ``LOCATION`` and ``OPTIONS`` describe them: one server, one that
Sentinels name, or a cluster.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import copy
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.connection import parse_url
from redis.sentinel import SentinelConnectionPool

from dwebsocket.conf import conf
from dwebsocket.exceptions import InvalidGroupBackend
from dwebsocket.groups.current import show

from .client import (
    OURS,
    PUBLISHERS,
    Client,
    check_options,
    lift_limit,
    limits,
    patience_within,
    without_password,
)
from .cluster import ClusterClient, addresses
from .options import OWN_OPTIONS, check_others, check_own

__all__ = ["create_client"]

#: Waiting for others, asking the Sentinels, a connection, the answer.
SENTINEL_STEPS = 4

#: A password with one of "/", "#" and "?", which ends host and port: they would be taken from what
#: stands before it, and be shown.
NOT_ENCODED = re.compile(
    r"(?!unix:)[^:]+://[^/?#]*(?:[/#][^?]*|\?[^=]*)@"  # other "@" are behind "?" and "="
    r"|unix://[^@/?#]+[/?#].*@"  # or in the path
)
NO_PORT = "the port, behind the last colon, is not a number"
PERCENT_ENCODE = "user name and password must be percent-encoded (urllib.parse.quote with safe='')"


def create_client(location: Any, options: Mapping[str, Any]) -> Client:
    """A client; it connects when it is used.

    Raises:
        InvalidGroupBackend: the setting does not say where Redis is.
    """
    given = {key: value for key, value in options.items() if key not in OWN_OPTIONS}
    check_own(options)
    check_others(given)
    given = {"max_connections": PUBLISHERS, **given, **OURS}
    locations = read_locations(location)
    try:
        for one in locations:
            check_encoded(one)
        if options.get("CLUSTER"):
            return ClusterClient(locations, given)
        if options.get("SENTINEL"):
            return create_by_sentinels(locations, options["SENTINEL"], given)
        if len(locations) > 1:
            raise ValueError("several URLs need OPTIONS 'SENTINEL' or 'CLUSTER'; without, give one")
        return create_plain(locations[0], given)
    except (ValueError, TypeError, redis.RedisError) as error:
        shown = ", ".join(map(without_password, locations))
        what = find_fault(error, locations)
        raise InvalidGroupBackend(f"WEBSOCKET_GROUPS, LOCATION {shown}: {what}") from None


def check_encoded(location: str) -> None:
    """Raise ``ValueError`` for a password that would be taken for something else, and be shown."""
    if NOT_ENCODED.match(location):
        raise ValueError(PERCENT_ENCODE)


def find_fault(error: Exception, locations: list[str]) -> str:
    """What is wrong, without a piece of a password."""
    text = str(error)
    if "Port could not be cast" in text:  # which quotes a password, where no host is behind it
        return NO_PORT
    return PERCENT_ENCODE if "netloc" in text and any("@" in one for one in locations) else text


def read_locations(location: Any) -> list[str]:
    """The URLs: one, or a list of them.

    Raises:
        InvalidGroupBackend: they are none.
    """
    locations = [location] if isinstance(location, str) else location
    if isinstance(locations, (list, tuple)) and locations and all(map(is_url, locations)):
        return list(locations)
    raise InvalidGroupBackend(
        f"WEBSOCKET_GROUPS, LOCATION {show(location)}: it must be a URL such as "
        "'redis://localhost:6379/0', with SENTINEL or CLUSTER also a list of them"
    )


def is_url(one: Any) -> bool:
    return isinstance(one, str) and "://" in one


class Sentinels(redis.Sentinel):
    """Sentinels that several threads ask at once: redis-py moves the one that has answered to the
    front of its list, and another thread, which goes through that, would ask one twice and the
    other never.
    """

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Where the service is. Raises ``MasterNotFoundError``."""
        asking = copy(self)
        asking.sentinels = list(self.sentinels)
        found: tuple[str, int] = redis.Sentinel.discover_master(asking, service_name)  # type: ignore[no-untyped-call]
        self.sentinels = asking.sentinels
        return found


def create_plain(location: str, given: dict[str, Any]) -> Client:
    bounds = limits(conf.SEND_TIMEOUT)
    url: dict[str, Any] = parse_url(location)  # type: ignore[no-untyped-call]
    patience = patience_within(bounds["socket_timeout"], {**given, **url})
    make_pool = partial(redis.ConnectionPool.from_url, location, **{**bounds, **given})
    return create_with(make_pool, without_password(location), patience)


def create_with(make_pool: Callable[[], Any], shown: str, patience: float) -> Client:
    """Two pools: the listener may wait for longer."""
    pool, quick = make_pool(), make_pool()
    quick.connection_kwargs["socket_timeout"] = patience
    for one in (pool, quick):
        one.connection_kwargs.update(OURS)  # whatever the URL says
        check_options(one)
        publishers = lift_limit(one)
    make = partial(redis.Redis.from_pool, pool)
    return Client(shown, make, redis.Redis.from_pool(quick), publishers, patience)


def create_by_sentinels(locations: list[str], service: str, given: dict[str, Any]) -> Client:
    tls, known = urlsplit(locations[0]).scheme == "rediss", addresses(locations, 26379)
    first: dict[str, Any] = parse_url(locations[0])  # type: ignore[no-untyped-call]
    access = {key: first.pop(key, None) for key in ("username", "password")}
    for key in ("host", "port", "db", "connection_class"):  # the Sentinel's, not that of Redis
        first.pop(key, None)
    bounds = limits(conf.SEND_TIMEOUT, SENTINEL_STEPS)
    patience = patience_within(bounds["socket_timeout"], {**given, **first})
    given = {**bounds, "ssl": tls, **given, **first, **OURS}
    for_tls = {key: value for key, value in given.items() if key.startswith("ssl_")}
    # Each of them is connected to and asked; all may take as long as one of the other steps.
    asking = limits(conf.SEND_TIMEOUT, SENTINEL_STEPS * 2 * len(known))
    sentinels: Any = Sentinels(  # type: ignore[no-untyped-call]
        known, sentinel_kwargs={**asking, **for_tls, **access, "ssl": tls}
    )
    make_pool: Any = partial(SentinelConnectionPool, service, sentinels, **given)
    return create_with(make_pool, f"{service!r} of {known}", patience)
