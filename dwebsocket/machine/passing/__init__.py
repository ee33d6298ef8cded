"""Descriptors and requests pass from one process of a machine to another, which takes them over.

Each process that takes something listens in a directory of its own inside the run directory, so
that what groups send never waits for it. A connection carries one offer after the other:

- who has accepted the connection says hello, and how many descriptors there is room for;
- the other side offers: a kind, bytes, descriptors. It is told that the offer is accepted, and has
  been made ready, or refused and why;
- it commits; the other side says that it begins, and does. Until then all is still the sender's:
  whoever dies, refuses, or is too slow, has taken nothing;
- or it asks, without descriptors: the other side answers, and begins.
"""

from .errors import Gone, NoAnswer, PassingError, Refused
from .process import add_fact, add_kind, find_others, get_name, listen, stop_listening
from .sender import Sender
from .server import PassingServer, Prepared, Receiver, find_passing_directory
from .wire import MAX_DESCRIPTORS

__all__ = [
    "MAX_DESCRIPTORS",
    "Gone",
    "NoAnswer",
    "PassingError",
    "PassingServer",
    "Prepared",
    "Receiver",
    "Refused",
    "Sender",
    "add_fact",
    "add_kind",
    "find_others",
    "find_passing_directory",
    "get_name",
    "listen",
    "stop_listening",
]
