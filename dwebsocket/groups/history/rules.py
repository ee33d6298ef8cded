"""How much a group remembers: what ``Group()`` is given, or ``WEBSOCKET_GROUP_HISTORY``."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

from dwebsocket.conf import conf

__all__ = ["MAX_SECONDS", "MAX_SIZE", "Rule", "check_whole", "create_rule", "find_rule"]

#: Messages and seconds at most: a group is no archive.
MAX_SIZE, MAX_SECONDS = 100_000, 30 * 86_400

#: Seconds, unless they are given.
SECONDS = 3600.0


class Rule(NamedTuple):
    """What is kept of one group.

    Attributes:
        size: the newest messages, so many.
        seconds: for so long.
        sends_newest: whether who joins gets the newest one (``cache``).
    """

    size: int
    seconds: float
    sends_newest: bool = False


def create_rule(history: int | None, seconds: float | None, *, cache: bool) -> Rule | None:
    """The rule for these arguments of ``Group()``; ``None``: they keep nothing.

    Raises:
        TypeError: they are no numbers.
        ValueError: they are too small, or too large.
    """
    if history is None and cache is False:
        if seconds is not None:
            raise ValueError("seconds=… keeps nothing by itself: say how many messages, history=…")
        return None
    size = 1 if history is None else history
    check_whole("history", size, 1, MAX_SIZE)
    seconds = SECONDS if seconds is None else seconds
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        raise TypeError(f"seconds is {seconds!r}, it must be a number")
    if not 0 < seconds <= MAX_SECONDS:
        raise ValueError(f"seconds is {seconds!r}, it must be above 0 and at most {MAX_SECONDS}")
    if not isinstance(cache, bool):
        raise TypeError(f"cache is {cache!r}, it must be True or False")
    return Rule(size, float(seconds), cache)


def check_whole(name: str, value: object, least: int, most: int = MAX_SIZE) -> None:
    """Raise unless it is a whole number between these.

    Raises:
        TypeError: it is no whole number.
        ValueError: it is too small, or too large.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}, it must be a whole number")
    if not least <= value <= most:
        raise ValueError(f"{name} is {value!r}, it must be from {least} to {most}")


def find_rule(name: str) -> Rule | None:
    """The rule of the setting for a group; the first pattern that fits counts."""
    patterns = conf.GROUP_HISTORY
    for pattern, rule in patterns.items():
        if fnmatchcase(name, pattern):
            return Rule(*rule)
    return None
