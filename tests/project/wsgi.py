"""Four sites in one process: without WebSocketMiddleware, with it last, with it first, and without
any middleware.

A server process is expensive and a second middleware list is not, so the sites differ by the
first part of the address: /…, /middleware-last/…, /middleware-first/… and /bare/….

In front of that WSGI middleware may stand that does something with a request's body, for
/input-counted/…, /input-read/… and /input-copied/….
"""

from io import BytesIO

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

django.setup()

OURS = "dwebsocket.middleware.WebSocketMiddleware"


def build_site(middleware, make=WSGIHandler):
    # Not by override_settings(): with Django's test client it loads for longer than all of ours.
    usual, settings.MIDDLEWARE = settings.MIDDLEWARE, middleware
    try:
        return make()
    finally:
        settings.MIDDLEWARE = usual


plain_site = WSGIHandler()
mounted_sites = {
    "/middleware-last": build_site([*settings.MIDDLEWARE, OURS]),
    "/middleware-first": build_site([OURS, *settings.MIDDLEWARE]),
    "/bare": build_site([]),
}


class Counted:
    """As agents have it that tell how long bodies are."""

    def __init__(self, stream):
        self.count = 0
        self._stream = stream

    def read(self, *args):
        data = self._stream.read(*args)
        self.count += len(data)
        return data

    readline = read  # Django asks for it, and calls it of multipart bodies only


def count_input(environ):
    environ["wsgi.input"] = Counted(environ["wsgi.input"])
    return environ


def read_input(environ):
    """As those that log bodies."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    environ["wsgi.input"] = BytesIO(environ["wsgi.input"].read(length) if length else b"")
    return environ


def copy_environ(environ):
    return read_input(dict(environ))


wrappers = {
    "/input-counted": count_input,
    "/input-read": read_input,
    "/input-copied": copy_environ,
}


def application(environ, start_response):
    for prefix, wrap in wrappers.items():
        if environ["PATH_INFO"].startswith(prefix + "/"):
            environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(prefix)
            environ = wrap(environ)
    for prefix, site in mounted_sites.items():
        if environ["PATH_INFO"].startswith(prefix + "/"):
            environ["SCRIPT_NAME"] = prefix
            environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(prefix)
            return site(environ, start_response)
    return plain_site(environ, start_response)
