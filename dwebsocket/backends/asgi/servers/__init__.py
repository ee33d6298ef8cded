"""The ASGI servers whose connections we take: each file knows one of them, and nothing else does.

To add a server: derive from ``base.AsgiTakeover``, and add the class to ``TAKEOVERS``.
"""

from __future__ import annotations

from typing import Any

from .base import AsgiTakeover, Member
from .daphne import DaphneTakeover
from .gunicorn import GunicornTakeover
from .hypercorn import HypercornTakeover
from .uvicorn import UvicornTakeover

__all__ = ["TAKEOVERS", "AsgiTakeover", "Member", "find_takeover"]

TAKEOVERS: list[type[AsgiTakeover]] = [
    UvicornTakeover,
    HypercornTakeover,
    DaphneTakeover,
    GunicornTakeover,
]


def find_takeover(receive: Any, send: Any) -> AsgiTakeover | None:
    """How to take this connection of HTTP/1.1 from its server; ``None``: that keeps it."""
    for takeover in TAKEOVERS:
        try:
            found = takeover.find(receive, send)
        except AttributeError:  # another version, which we do not know
            continue
        if found is not None and not found.has_ended:
            return found
    return None
