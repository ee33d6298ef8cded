"""What has been found: a line with a mark, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Finding", "Mark", "fault", "ok", "warning"]


class Mark(Enum):
    """How a finding is meant; its value is shown."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    """One line.

    Attributes:
        mark: whether it is well.
        step: what was looked at.
        text: what was found.
        advice: what to do; nothing if it is well.
    """

    mark: Mark
    step: str
    text: str
    advice: str = ""

    @property
    def sentence(self) -> str:
        """What was found, and what to do."""
        return f"{self.text} {self.advice}".strip()


def ok(step: str, text: str) -> Finding:
    """It is as it should be."""
    return Finding(Mark.OK, step, text)


def warning(step: str, text: str, advice: str) -> Finding:
    """It works, and will not for everybody, or not for ever."""
    return Finding(Mark.WARNING, step, text, advice)


def fault(step: str, text: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(Mark.FAULT, step, text, advice)
