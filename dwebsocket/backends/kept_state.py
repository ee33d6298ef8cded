"""What a handler has to say to the one that goes on in its place."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["InvalidKeptState", "check_state"]

#: Bytes of JSON that ``get_state`` may return.
MAX_STATE = 64 << 10


class InvalidKeptState(ValueError):
    """What ``get_state`` has returned cannot go."""


def check_state(state: Any) -> dict[str, Any]:
    """The state, as the other process is going to see it.

    Raises:
        InvalidKeptState: it is no dictionary, no JSON, or too long.
    """
    if not isinstance(state, dict):
        raise InvalidKeptState(
            f"get_state() has returned {type(state).__name__}, it must be a dictionary"
        )
    try:
        text = json.dumps(state)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidKeptState(f"get_state() has returned what is not JSON: {error}") from error
    if len(text) > MAX_STATE:
        raise InvalidKeptState(
            f"get_state() has returned {len(text)} bytes of JSON, and {MAX_STATE} are kept at most"
        )
    found: dict[str, Any] = json.loads(text)
    return found
