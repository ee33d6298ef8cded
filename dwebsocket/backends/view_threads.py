"""Views that left a server whose threads are few: each has a thread of ours, within a bound."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from dwebsocket.conf import conf
from dwebsocket.protocol.exceptions import InvalidHandshake

__all__ = ["Place", "TooManyViews", "running", "start_view", "take_place"]


class TooManyViews(InvalidHandshake):
    """``WEBSOCKET_VIEW_THREADS`` views are running in this process."""

    status_code = 503


#: How many run, or are about to.
running = 0
lock = threading.Lock()


class Place:
    """One of the views that may run in this process."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken = True

    def give_back(self) -> None:
        """The view has ended, or does not begin. Idempotent."""
        global running
        with lock:
            running -= self._taken
            self._taken = False


def take_place() -> Place:
    """Raise ``TooManyViews`` when as many views run as may."""
    global running
    limit = conf.VIEW_THREADS
    with lock:
        if not 0 < limit <= running:
            running += 1
            return Place()
    raise TooManyViews(
        f"This process runs {limit} WebSocket views and takes no more "
        "(WEBSOCKET_VIEW_THREADS). Try again later."
    )


def start_view(
    place: Place, start: Callable[[Callable[[], None], str], object], run: Callable[[], None]
) -> None:
    """Start a view's ``run``, which has its place until it has ended."""

    def run_and_leave() -> None:
        try:
            run()
        finally:
            place.give_back()

    try:
        start(run_and_leave, "dwebsocket-view")
    except BaseException:  # RuntimeError: the system has no further thread
        place.give_back()
        raise


def forget() -> None:
    """Forget the parent's views in a forked child, where none of them runs."""
    global running, lock
    running, lock = 0, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
