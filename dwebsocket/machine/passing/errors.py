"""Why something has not been taken over: it is still the sender's."""

from __future__ import annotations

__all__ = ["Gone", "NoAnswer", "PassingError", "Refused"]


class PassingError(Exception):
    """The other process has not taken it."""


class Refused(PassingError):
    """It has said no, and why."""


class NoAnswer(PassingError):
    """It has not answered in time, and will not take it any more."""


class Gone(PassingError):
    """It does not listen, or not any more."""
