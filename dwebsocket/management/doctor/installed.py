"""Which servers are installed here, and whether they carry WebSockets."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from .findings import Finding, ok, warning

__all__ = ["CARRY", "examine_installed"]

#: Distributions that carry WebSockets: how.
CARRY = {
    "gunicorn": "-k sync, gthread, gevent, gevent_pywsgi, asgi",
    "gevent": "gevent.pywsgi",
    "eventlet": "eventlet.wsgi",
    "Werkzeug": "runserver_plus",
    "cheroot": "",
    "waitress": "",
    "uWSGI": "--http-websockets",
    "uvicorn": "asgi.py",
    "daphne": "asgi.py",
    "hypercorn": "asgi.py",
    "granian": "--interface asgi",
}
#: Those that do not let go of a request's socket.
CANNOT = ("mod_wsgi", "bjoern")


def examine_installed() -> Iterator[Finding]:
    """The servers of this Python."""
    found = {name: find_version(name) for name in (*CARRY, *CANNOT)}
    carrying = [
        f"{name} {found[name]}" + (f" ({how})" if how else "")
        for name, how in CARRY.items()
        if found[name]
    ]
    if not found["gevent"]:
        carrying = [one.replace(", gevent, gevent_pywsgi", "") for one in carrying]
    if carrying:
        yield ok("installed", f"These carry WebSockets: runserver, {', '.join(carrying)}.")
    else:
        yield warning(
            "installed",
            "Only runserver is here to carry WebSockets, which is for development.",
            "Install a server: python -m pip install gunicorn, for one.",
        )
    for name in CANNOT:
        if found[name]:
            yield warning(
                "installed",
                f"{name} {found[name]} does not let go of its sockets: a handshake gets 501.",
                "Serve WebSockets with another server, beside it if need be.",
            )


def find_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
