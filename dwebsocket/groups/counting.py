"""How many members a group has in all processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .current import get_members
from .survey import answer_with, ask

__all__ = ["count_everywhere"]

#: The question.
COUNT = "count"


def count_everywhere(name: str, timeout: float) -> int:
    """Ask all processes.

    Args:
        timeout: seconds for which one may be silent.

    Raises:
        GroupUnavailable: the other processes cannot be asked.
        SynchronousOnlyOperation: the caller runs in an event loop.
    """
    survey = ask(COUNT, {"group": name}, timeout)
    return sum(sum(rows) for rows in survey.rows.values())


def count_members(args: Mapping[str, Any]) -> Iterable[list[int]]:
    """The answer of this process."""
    yield [get_members().count(args["group"])]


answer_with(COUNT, count_members)
