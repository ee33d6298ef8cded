"""Groups of all processes of a site on one machine, with nothing to install."""

from .backend import MachineGroupBackend

__all__ = ["MachineGroupBackend"]
