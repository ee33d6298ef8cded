"""What groups remember: each message that is kept has a number, so that whoever comes back gets
what they have missed, once and in order, or is told that it is gone.
"""

from .keeper import Joined, Keeper
from .memory import MemoryHistory
from .positions import Position, create_epoch, pack_position, parse_position, unpack_position
from .rules import Rule, check_whole, create_rule, find_rule
from .store import HistoryStore, Kept, Log, Recall

__all__ = [
    "HistoryStore",
    "Joined",
    "Keeper",
    "Kept",
    "Log",
    "MemoryHistory",
    "Position",
    "Recall",
    "Rule",
    "check_whole",
    "create_epoch",
    "create_rule",
    "find_rule",
    "pack_position",
    "parse_position",
    "unpack_position",
]
