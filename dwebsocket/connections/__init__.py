"""Who is connected, in all processes of the site; and closing of what is.

facts    what is told of a WebSocket
filters  which are meant
users    whose it is
answers  what a process answers
asking   the question to all of them
"""

from dwebsocket.groups.survey import Process

from .answers import answer_questions
from .asking import Connections, Stats
from .asking import aclose_connections as aclose
from .asking import aget_stats as astats
from .asking import alist_connections as alist
from .asking import close_connections as close
from .asking import get_stats as stats
from .asking import list_connections as list
from .facts import Connection

__all__ = [
    "Connection",
    "Connections",
    "Process",
    "Stats",
    "aclose",
    "alist",
    "answer_questions",
    "astats",
    "close",
    "list",
    "stats",
]
