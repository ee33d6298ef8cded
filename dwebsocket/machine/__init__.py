"""The channel between the processes of one site on one machine: Unix sockets in a directory of the
site, without anything to install or to configure.
"""

from .channel import Channel
from .directory import RunDirectory, find_directory, find_others
from .frames import Frame, InvalidFrame, Kind

__all__ = [
    "Channel",
    "Frame",
    "InvalidFrame",
    "Kind",
    "RunDirectory",
    "find_directory",
    "find_others",
]
