"""Open sockets go to the next process: a worker that ends hands the connections of its handlers to
another one of the same site on this machine, and their clients notice nothing.
"""

from .process import expect, take_part

__all__ = ["expect", "take_part"]
