"""Views that left a server whose threads are few: each has a thread of ours, within a bound."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from dwebsocket.conf import conf
from dwebsocket.protocol.exceptions import InvalidHandshake

__all__ = ["TooManyViews", "check_room", "running", "start_counted"]


class TooManyViews(InvalidHandshake):
    """``WEBSOCKET_VIEW_THREADS`` views are running in this process."""

    status_code = 503


#: How many run.
running = 0
lock = threading.Lock()


def check_room() -> None:
    """Raise ``TooManyViews`` when as many views run as may."""
    limit = conf.VIEW_THREADS
    if 0 < limit <= running:
        raise TooManyViews(
            f"This process runs {limit} WebSocket views and takes no more "
            "(WEBSOCKET_VIEW_THREADS). Try again later."
        )


def start_counted(
    start: Callable[[Callable[[], None], str], None], run: Callable[[], None]
) -> None:
    """Start a view's ``run``, which counts from now until it has ended."""

    def run_and_leave() -> None:
        try:
            run()
        finally:
            count(-1)

    count(1)
    try:
        start(run_and_leave, "dwebsocket-view")
    except BaseException:  # RuntimeError: the system has no further thread
        count(-1)
        raise


def count(change: int) -> None:
    global running
    with lock:
        running += change


def forget() -> None:
    """Forget the parent's views in a forked child, where none of them runs."""
    global running, lock
    running, lock = 0, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
