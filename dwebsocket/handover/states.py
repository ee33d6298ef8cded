"""What a handler has to say to the one that goes on in its place."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["MAX_STATE", "InvalidKeptState", "check_state", "name_of_class"]

#: Bytes of JSON that ``get_state`` may return.
MAX_STATE = 64 << 10


class InvalidKeptState(Exception):
    """What ``get_state`` has returned cannot go."""


def name_of_class(handler: type) -> str:
    """How another process knows it."""
    return f"{handler.__module__}.{handler.__qualname__}"


def check_state(state: Any) -> dict[str, Any]:
    """The state, as the other process is going to see it.

    Raises:
        InvalidKeptState: it is no dictionary, no JSON, or too long.
    """
    if not isinstance(state, dict):
        raise InvalidKeptState(f"it is {type(state).__name__}, and must be a dictionary")
    try:
        text = json.dumps(state)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidKeptState(f"it is no JSON: {error}") from error
    if len(text) > MAX_STATE:
        raise InvalidKeptState(f"it is {len(text)} bytes of JSON, and at most {MAX_STATE} go")
    found: dict[str, Any] = json.loads(text)
    return found
