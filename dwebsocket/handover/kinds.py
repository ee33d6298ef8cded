"""What is passed between the two processes."""

from __future__ import annotations

__all__ = ["ACCEPT_TIMEOUT", "FACT", "JOINED", "KIND", "LATE", "OPEN", "RESUME_TIMEOUT"]

#: The kind of what is passed, and what a process says of itself for it.
KIND = FACT = "handover"

#: The first byte: connections with their descriptors; a question whether these have joined their
#: groups; what has come for them meanwhile.
OPEN, JOINED, LATE = b"O", b"J", b"L"

#: Seconds in which another process accepts, and in which its handlers' ``on_resume`` return.
ACCEPT_TIMEOUT, RESUME_TIMEOUT = 10.0, 30.0
