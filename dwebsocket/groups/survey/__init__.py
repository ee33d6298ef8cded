"""A question to all processes. It is sent to a group in which each of them is that serves
WebSockets; what they answer comes to a group of the one who asks. So it goes wherever groups go,
and nothing is kept that could grow old.

forms      what a question and an answer look like
answering  what a process does with a question
asking     what the one who asks does
"""

from .answering import answer_with, join, join_soon
from .asking import Survey, ask
from .forms import Process, check_name, name_for_relay

__all__ = [
    "Process",
    "Survey",
    "answer_with",
    "ask",
    "check_name",
    "join",
    "join_soon",
    "name_for_relay",
]
