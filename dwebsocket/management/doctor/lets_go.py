"""Which ASGI servers let go of the connections of WebSockets: what they would do with them does not
matter then.
"""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from dwebsocket.conf import conf

__all__ = ["lets_go"]

#: By the name of the program.
TAKEN = ("uvicorn", "daphne", "hypercorn", "gunicorn")


def lets_go(program: str) -> bool:
    """Whether dwebsocket speaks the protocol on such a server, if nothing stands between."""
    try:
        return program in TAKEN and conf.TAKE_OVER
    except ImproperlyConfigured:  # told elsewhere
        return program in TAKEN
