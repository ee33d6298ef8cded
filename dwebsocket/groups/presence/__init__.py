"""Who is in a group: present under a key, until the last WebSocket under it has been closed for a
while, in whatever process.
"""

from .memory import MemoryPresence
from .people import Key, People, check_key, encode_info
from .presence import RENEWAL, Presence
from .store import Entry, PresenceStore, Snapshot, merge
from .tracked import Changes

__all__ = [
    "RENEWAL",
    "Changes",
    "Entry",
    "Key",
    "MemoryPresence",
    "People",
    "Presence",
    "PresenceStore",
    "Snapshot",
    "check_key",
    "encode_info",
    "merge",
]
