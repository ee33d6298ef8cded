"""Open sockets go to the next process: a worker that ends hands the connections of its handlers to
another one of the same site on this machine, and their clients notice nothing.
"""

from typing import Any

from dwebsocket.backends.gunicorn_worker import is_worker
from dwebsocket.backends.restarts import can_restart, note_announced, note_reloader

__all__ = ["announce", "expect", "expect_under_reloader", "take_part"]


def announce() -> None:
    """Tell other processes of the site that this one serves it: for scripts that run a server
    themselves. From now on it takes the connections of one that ends; when it ends itself, it gives
    its own to one that has announced itself later.
    """
    if not is_worker():  # gunicorn knows better
        note_announced()
    take_part()


def take_part() -> None:
    """Take connections of others, and give ours away when this process ends, where its server lets
    both be done. Never raises.
    """
    if is_worker() or can_restart():
        from .process import take_part  # whose modules not every system has

        take_part()


def expect() -> None:
    """The apps are ready: other processes may have connections for this one, before any request
    has come to it.
    """
    if is_worker() or can_restart():
        from .process import expect

        expect()


def expect_under_reloader(**kwargs: Any) -> None:
    """Django's autoreloader runs this process, in which the apps are ready: the receiver of its
    signal.
    """
    note_reloader()
    expect()
