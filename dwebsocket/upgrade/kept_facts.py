"""What of a handler's request is needed where its connection goes on in another process."""

from __future__ import annotations

import json
import zlib
from typing import Any, NamedTuple

from django.http import HttpRequest

from dwebsocket.connections.users import find_known_user, key_of

__all__ = ["Facts", "PackedFacts", "find_facts"]

KEPT = (str, int, float, bool, type(None))


class Facts(NamedTuple):
    """Of one request.

    Attributes:
        meta: headers, path, query and address, as the server has told them.
        user: the key of the user, if somebody has looked it up.
    """

    meta: dict[str, Any]
    user: str | None


def find_facts(request: Any) -> Facts | None:
    """Those of a request; ``None``: it is none, but what a handler has put in its place."""
    if not isinstance(request, HttpRequest):
        return None
    meta = {
        key: value
        for key, value in request.META.items()
        if type(value) in KEPT and not key.startswith("dwebsocket.")
    }
    user = find_known_user(request)
    return Facts(meta, None if user is None else key_of(user))


class PackedFacts:
    """The same, while nobody needs them: they are much smaller."""

    __slots__ = ("_data",)

    def __init__(self, facts: Facts) -> None:
        self._data = zlib.compress(json.dumps(facts).encode())

    def unpack(self) -> Facts:
        """What went in."""
        return Facts(*json.loads(zlib.decompress(self._data)))
