"""What is passed between the two processes."""

from __future__ import annotations

__all__ = ["FACT", "JOINED", "KIND", "LATE", "OPEN", "READY", "SENT"]

#: The kind of what is passed, and what a process says of itself for it.
KIND = FACT = "handover"

#: The first byte: a request to load what connections need; connections with their descriptors; a
#: question whether these have joined their groups, and what was being sent to groups then is with
#: all; the same without connections; what has come for them meanwhile.
READY, OPEN, JOINED, SENT, LATE = b"R", b"O", b"J", b"S", b"L"
