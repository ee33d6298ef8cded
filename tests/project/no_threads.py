"""A system that has no further threads. A limit of the system's own would not bind root."""

import threading
from pathlib import Path


def obey(path):
    """As long as there is a file of this name, no thread can start whose name begins with what the
    file holds.
    """
    start = threading.Thread.start

    def start_unless(thread):
        try:
            forbidden = Path(path).read_text()
        except FileNotFoundError:
            start(thread)
            return
        if thread.name.startswith(forbidden):
            raise RuntimeError("can't start new thread")
        start(thread)

    threading.Thread.start = start_unless
