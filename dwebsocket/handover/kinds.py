"""What is passed between the two processes."""

from __future__ import annotations

__all__ = ["FACT", "JOINED", "KIND", "LATE", "OPEN", "READY"]

#: The kind of what is passed, and what a process says of itself for it.
KIND = FACT = "handover"

#: The first byte: a request to load what connections need; connections with their descriptors; a
#: question whether these have joined their groups; what has come for them meanwhile.
READY, OPEN, JOINED, LATE = b"R", b"O", b"J", b"L"
