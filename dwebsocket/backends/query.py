"""What a request says in its query of how its WebSocket is carried."""

from __future__ import annotations

from django.http import HttpRequest

__all__ = ["is_engine"]


def is_engine(request: HttpRequest) -> bool:
    """Whether the request is one of Engine.IO: it says so in its query."""
    query = request.META.get("QUERY_STRING", "")
    return "EIO=" in query and "EIO" in request.GET
