"""Settings that are probably meant to be ours, and are not called so."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from django.conf import global_settings
from django.conf import settings as django_settings

from dwebsocket.conf import Conf

__all__ = ["find_misspelt"]

#: Those that django-ws gave their names.
UNPREFIXED = ("ROOT_WS_URLCONF", "WS_MIDDLEWARE")

PREFIX = "WEBSOCKET_"

#: How else people write that.
PREFIXES = (PREFIX, "DWEBSOCKET_", "WEB_SOCKET_", "WEBSOCKETS_", "WS_")

#: How like one of our names another one is that means it, from 0 to 1: behind the prefix, and all
#: of it where there is none.
LIKE, VERY_LIKE = 0.6, 0.9


def find_misspelt() -> Iterator[tuple[str, str]]:
    """Names of settings that nobody reads, each with the name of ours that it is like."""
    names = {name for name in vars(Conf) if name.isupper()}.difference(UNPREFIXED)
    known = {*UNPREFIXED, *(PREFIX + name for name in names)}
    for found in sorted(dir(django_settings)):
        if found.isupper() and found not in known and not hasattr(global_settings, found):
            near = find_nearest(found, names)
            if near is not None:
                yield found, near


def find_nearest(found: str, names: set[str]) -> str | None:
    """The setting of ours that a name is like, if there is one."""
    prefix = next((one for one in PREFIXES if found.startswith(one)), None)
    if prefix is not None:
        for name in get_close_matches(found.removeprefix(prefix), names, n=1, cutoff=LIKE):
            return PREFIX + name
    for name in get_close_matches(found, UNPREFIXED, n=1, cutoff=VERY_LIKE):
        return name
    return None
