"""Threads that decompress large messages do so in turn: ``protocol.deflate`` says why."""

from __future__ import annotations

import os
import threading

from dwebsocket.protocol import deflate

__all__ = ["take_turns"]


def take_turns() -> None:
    """Have the threads of this process take turns from now on. A forked child begins anew: it has
    none of the threads whose turn it may be.
    """
    deflate.turn = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=take_turns)
