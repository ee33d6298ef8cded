"""``OPTIONS``: a wrong value is told at the start, not by the first message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from redis.retry import Retry

from dwebsocket.conf.validators import MAX_SECONDS, is_number, is_whole
from dwebsocket.exceptions import InvalidGroupBackend

__all__ = ["OWN_OPTIONS", "check_others", "check_own"]

#: The options of ours; all others are redis-py's.
OWN_OPTIONS = ("CLUSTER", "PREFIX", "SENTINEL")

#: option: (what it must be, whether it is)
Checks = Mapping[str, tuple[str, Callable[[Any], bool]]]


def check_own(options: Mapping[str, Any]) -> None:
    """Look at ours.

    Raises:
        InvalidGroupBackend: one is of another type, which might mean the contrary; or the prefix
            cannot be a part of a channel's name.
    """
    check_values({key: options[key] for key in OWN_OPTIONS if key in options}, OWN_CHECKS)
    prefix = options.get("PREFIX", "")
    if not isinstance(prefix, str):
        raise InvalidGroupBackend(f"WEBSOCKET_GROUPS, PREFIX is {prefix!r}, it must be a text")
    try:
        prefix.encode()
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
    check_values(options, CHECKS)


def check_values(options: Mapping[str, Any], checks: Checks) -> None:
    """Raise ``InvalidGroupBackend`` for one that is not what ``checks`` says."""
    for key, value in options.items():
        wanted, is_good = checks.get(key, ("", is_anything))
        if not (value is None or is_good(value)):
            raise InvalidGroupBackend(
                f"WEBSOCKET_GROUPS: the option {key!r} is {value!r}, it must be {wanted}"
            )


def is_anything(value: Any) -> bool:
    return True


def is_time(value: Any) -> bool:
    return is_number(value) and 0 < value <= MAX_SECONDS


def is_interval(value: Any) -> bool:
    return is_number(value) and 0 <= value <= MAX_SECONDS


def is_count(value: Any) -> bool:
    return is_whole(value) and value > 0


def is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def is_retry(value: Any) -> bool:
    return isinstance(value, Retry)


OWN_CHECKS: Checks = {
    "CLUSTER": ("True or False", is_flag),
    "SENTINEL": ("the name of a service", is_text),
}
CHECKS: Checks = {
    "socket_timeout": ("a number of seconds above 0", is_time),
    "socket_connect_timeout": ("a number of seconds above 0", is_time),
    "health_check_interval": ("a number of seconds, or 0", is_interval),
    "max_connections": ("a whole number above 0", is_count),
    "retry": ("a redis.retry.Retry", is_retry),
}
