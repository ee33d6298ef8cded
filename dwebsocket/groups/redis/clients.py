"""Clients of redis-py, as ``LOCATION`` and ``OPTIONS`` describe them: one server, one that
Sentinels name, or a cluster.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.sentinel import SentinelConnectionPool

from dwebsocket.conf import conf
from dwebsocket.exceptions import InvalidGroupBackend
from dwebsocket.groups.current import show

from .client import Client, check_options, limits, without_password
from .cluster import ClusterClient, addresses

__all__ = ["create_client"]

#: Connections a process uses for publishing, at most; more publishers wait for one.
MAX_CONNECTIONS = 50

#: The options of ours; all others are redis-py's.
OWN_OPTIONS = ("CLUSTER", "PREFIX", "SENTINEL")

#: A password with one of "/", "#" and "?", which ends host and port: they would be taken from what
#: stands before it, and be shown.
NOT_ENCODED = re.compile(
    r"(?!unix:)[^:]+://[^/?#]*(?:[/#][^?]*|\?[^=]*)@"  # other "@" are behind "?" and "="
    r"|unix://[^@/?#]+[/?#].*@"  # or in the path
)
PERCENT_ENCODE = "user name and password must be percent-encoded (urllib.parse.quote with safe='')"


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
    check_prefix(options.get("PREFIX", ""))
    given["decode_responses"] = False  # a cache's setting may say so; ours are bytes
    locations = read_locations(location)
    try:
        for one in locations:
            check_encoded(one)
        if options.get("CLUSTER"):
            return ClusterClient(locations, given)
        given = {**limits(conf.SEND_TIMEOUT), **given}
        if options.get("SENTINEL"):
            return create_by_sentinels(locations, options["SENTINEL"], given)
        if len(locations) > 1:
            raise ValueError("several URLs need OPTIONS 'SENTINEL' or 'CLUSTER'; without, give one")
        return create_plain(locations[0], given)
    except (ValueError, TypeError) as error:
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
    quotes = "Port could not be cast" in text or "netloc" in text
    return PERCENT_ENCODE if quotes and any("@" in one for one in locations) else text


def check_prefix(prefix: Any) -> None:
    """Raise ``InvalidGroupBackend`` for what cannot be a part of a channel's name."""
    try:
        str(prefix).encode()
    except UnicodeEncodeError as error:
        raise InvalidGroupBackend(f"WEBSOCKET_GROUPS, PREFIX {prefix!r}: {error}") from error


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


def create_plain(location: str, given: dict[str, Any]) -> Client:
    given.setdefault("max_connections", MAX_CONNECTIONS)
    pool = redis.BlockingConnectionPool.from_url(location, timeout=given["socket_timeout"], **given)
    pool.connection_kwargs["decode_responses"] = False  # whatever the URL says
    check_options(pool)
    return Client(without_password(location), partial(redis.Redis.from_pool, pool))


def create_by_sentinels(locations: list[str], service: str, given: dict[str, Any]) -> Client:
    first, known = urlsplit(locations[0]), addresses(locations, 26379)
    given.setdefault("ssl", first.scheme == "rediss")
    tls = {key: value for key, value in given.items() if key.startswith("ssl_")}
    sentinels: Any = redis.Sentinel(  # type: ignore[no-untyped-call]
        known,
        sentinel_kwargs={
            # All of them together may take as long as one step otherwise does.
            **limits(conf.SEND_TIMEOUT, 6 * len(known)),
            **tls,
            "username": first.username,
            "password": first.password,
            "ssl": first.scheme == "rediss",
        },
    )
    pool: Any = SentinelConnectionPool(service, sentinels, **given)  # type: ignore[no-untyped-call]
    check_options(pool)
    return Client(f"{service!r} of {known}", partial(redis.Redis.from_pool, pool))
