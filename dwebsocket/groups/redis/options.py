"""``OPTIONS``: a wrong value is told at the start, not by the first message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.retry import Retry

from dwebsocket.exceptions import InvalidGroupBackend

__all__ = ["OWN_OPTIONS", "check_others", "check_own"]

#: The options of ours; all others are redis-py's.
OWN_OPTIONS = ("CLUSTER", "PREFIX", "SENTINEL")


def check_own(options: Mapping[str, Any]) -> None:
    """Look at the prefix.

    Raises:
        InvalidGroupBackend: it cannot be a part of a channel's name.
    """
    prefix = options.get("PREFIX", "")
    try:
        str(prefix).encode()
    except UnicodeEncodeError as error:
        raise InvalidGroupBackend(f"WEBSOCKET_GROUPS, PREFIX {prefix!r}: {error}") from error


def check_others(options: Mapping[str, Any]) -> None:
    """Look at those whose wrong values redis-py finds in the midst of its work only.

    Raises:
        InvalidGroupBackend: it could not use one.
    """
    for key in options:
        if not isinstance(key, str) or key.isupper():
            raise InvalidGroupBackend(
                f"WEBSOCKET_GROUPS: there is no option {key!r}; ours are "
                f"{', '.join(map(repr, OWN_OPTIONS))}, those in small letters are redis-py's"
            )
    for key, value in options.items():
        wanted, is_good = CHECKS.get(key, ("", is_anything))
        if not (value is None or is_good(value)):
            raise InvalidGroupBackend(
                f"WEBSOCKET_GROUPS: the option {key!r} is {value!r}, it must be {wanted}"
            )


def is_anything(value: Any) -> bool:
    return True


def is_time(value: Any) -> bool:
    return isinstance(value, (int, float)) and value > 0


def is_interval(value: Any) -> bool:
    return isinstance(value, (int, float)) and value >= 0


def is_count(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def is_retry(value: Any) -> bool:
    return isinstance(value, Retry)


CHECKS = {
    "socket_timeout": ("a number of seconds above 0", is_time),
    "socket_connect_timeout": ("a number of seconds above 0", is_time),
    "health_check_interval": ("a number of seconds, or 0", is_interval),
    "max_connections": ("a whole number above 0", is_count),
    "retry": ("a redis.retry.Retry", is_retry),
}
