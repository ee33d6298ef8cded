"""What the view or handler of one connection fails with, which its test is to be told."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol

from django.core.signals import got_request_exception

from dwebsocket.upgrade.error_log import report

__all__ = ["ViewErrors", "add_context"]

#: Seconds for which messages that were sent before an error may still come, on a busy machine.
GRACE = 0.5


def report_signaled(**kwargs: Any) -> None:
    """Report what Django answers with a 500: that is before the handshake has been accepted."""
    report(sys.exc_info()[1])


got_request_exception.connect(report_signaled, dispatch_uid="dwebsocket.testing")


class Client(Protocol):
    """What both of Django's test clients have."""

    raise_request_exception: bool


class ViewErrors:
    """Those of one connection: each is raised once.

    Args:
        client: says whether any is raised, if ``raises`` does not.
    """

    def __init__(self, client: Client, raises: bool | None) -> None:
        self._raises = client.raise_request_exception if raises is None else raises
        self._heard: list[BaseException] = []
        self._told = 0  # of those
        self._last = 0.0  # when the last was heard

    def hear(self, error: BaseException) -> None:
        """It has happened, in whatever thread. It may be told of twice."""
        if self._raises and not any(error is known for known in self._heard):
            self._last = time.monotonic()
            self._heard.append(error)

    @property
    def due(self) -> bool:
        """Whether there is something to raise, and what was sent before it has had time to come."""
        return len(self._heard) > self._told and time.monotonic() > self._last + GRACE

    def take(self) -> BaseException | None:
        """The first one that is to be raised, or what has become of that while it was handled; the
        others are what its traceback begins with.
        """
        errors = self._heard[self._told :]
        self._told += len(errors)
        if not errors:
            return None
        first = errors.pop(0)
        for error in errors:
            if is_in_chain(first, error):
                first = error
        for error in errors:
            add_context(first, error)
        return first

    def raise_first(self) -> None:
        """Raise what ``take`` returns."""
        __tracebackhide__ = True
        error = self.take()
        if error is not None:
            raise error


def add_context(error: BaseException, earlier: BaseException) -> bool:
    """Have the traceback of an error begin with an earlier one; whether it does."""
    if is_in_chain(error, earlier):
        return False
    if not is_in_chain(earlier, error):
        oldest = chain_of(error)[-1]
        oldest.__context__, oldest.__suppress_context__ = earlier, False
    return True


def is_in_chain(error: BaseException, later: BaseException) -> bool:
    """Whether the traceback of ``later`` shows ``error`` before it, or is that of ``error``."""
    return any(error is one for one in chain_of(later))


def chain_of(error: BaseException) -> list[BaseException]:
    """An error and those that its traceback shows before it, the latest first."""
    chain: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and not any(found is one for one in chain):
        chain.append(found)
        shown = None if found.__suppress_context__ else found.__context__
        found = found.__cause__ or shown
    return chain
