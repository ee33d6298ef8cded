"""Whether this process serves anything, so that WebSockets may come: a management command, a task
queue's worker or a shell does not.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

from django.core.handlers.base import BaseHandler

from .workers import find_server

__all__ = ["is_test", "serves"]


def serves() -> bool:
    """Look at what there is in this process. Takes time."""
    return find_server() is not None or is_development_server() or is_test() or has_handler()


def is_development_server() -> bool:
    """``runserver``, which makes its handler only when all apps are ready."""
    return len(sys.argv) > 1 and sys.argv[1].startswith(("runserver", "testserver"))


def is_test() -> bool:
    """Django's test runner, and pytest-django, put an outbox there."""
    mail: Any = sys.modules.get("django.core.mail")
    return hasattr(mail, "outbox")


def has_handler() -> bool:
    """Whether there is a handler of Django's, as every server needs one."""
    # Not isinstance(), which asks objects that stand for others.
    return any(issubclass(type(one), BaseHandler) for one in gc.get_objects())
