"""Streams between the processes of a site, over the backend of groups: a request that has come to
one process is answered by another one.

names     what a process is called in the sids of its sessions, and whether it is there
messages  what passes between two processes
link      the streams between this process and another one: in order and without a gap, or ended
links     all of them, and what has their time looked at
"""

from .links import get_links, join
from .names import NoSuchProcess, split_sid

__all__ = ["NoSuchProcess", "get_links", "join", "split_sid"]
