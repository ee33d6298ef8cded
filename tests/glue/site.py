"""Django in the test process: a site of one view, behind the test client's real socket pair."""

import atexit
import os
import queue
import socket
import tempfile
import time
from functools import wraps

import django
import pytest
from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import override_settings
from django.urls import path

from dwebsocket.backends.default.servers.base import STAYS

from ..raw_client import RawClient

__all__ = [
    "MIDDLEWARE",
    "OURS",
    "Reports",
    "letting_go",
    "make_reports",
    "make_site",
    "make_user",
    "wait_until",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
OURS = "dwebsocket.middleware.WebSocketMiddleware"
TIMEOUT = 10.0  # seconds after which a test that waits has failed


def configure():
    """Once a process. By settings.configure, so that child processes inherit nothing."""
    if settings.configured:
        return
    # A file: Django never closes the connection to a database in memory.
    directory = tempfile.TemporaryDirectory(prefix="dwebsocket-")
    atexit.register(directory.cleanup)
    settings.configure(
        # A site of its own: groups do not reach what other processes of the run have.
        SETTINGS_MODULE=f"tests.glue.{os.getpid()}",
        SECRET_KEY="only-for-tests",
        ALLOWED_HOSTS=["testserver", ".test"],
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "dwebsocket",
        ],
        MIDDLEWARE=MIDDLEWARE,
        ROOT_URLCONF=(),
        USE_TZ=True,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": f"{directory.name}/database.sqlite3",
                "TEST": {"NAME": f"{directory.name}/database.sqlite3"},
            }
        },
        WEBSOCKET_CLOSE_TIMEOUT=2,
    )
    django.setup()
    call_command("migrate", verbosity=0)
    connections.close_all()


configure()


class Reports:
    """What views, which run in other threads, tell the test."""

    def __init__(self):
        self._queue = queue.SimpleQueue()

    def __call__(self, item):
        self._queue.put(item)

    def next(self):
        return self._queue.get(timeout=TIMEOUT)

    def all(self):
        """Those that are here now."""
        found = []
        while not self._queue.empty():
            found.append(self._queue.get())
        return found


def letting_go(view):
    """The test client's server keeps its connections; as on another server, it lets them go."""

    @wraps(view)
    def wrapper(request, *args, **kwargs):
        request.META.pop(STAYS, None)
        return view(request, *args, **kwargs)

    @wraps(view)
    async def async_wrapper(request, *args, **kwargs):
        return await wrapper(request, *args, **kwargs)

    return async_wrapper if iscoroutinefunction(view) else wrapper


class PairClient(RawClient):
    """A client of bytes on the other end of the test client's socket pair."""

    def __init__(self, sock, thread):
        self.host, self.timeout = "testserver", TIMEOUT
        self.received = bytearray()
        self.reset_by_peer = False
        self._position = 0
        self._socket = sock
        self.thread = thread

    def join(self):
        """Wait until the view, and the server's handler around it, have ended."""
        self.thread.join(TIMEOUT)
        assert not self.thread.is_alive(), "the view still runs"


class Site:
    """One view at /, under the settings of the test."""

    def __init__(self):
        self._overrides = []
        self._clients = []

    def serve(self, view, *more, raise_request_exception=True, **changed):
        """Serve ``view`` at /, and ``more`` paths; the client to talk to it."""
        from dwebsocket.testing import WebSocketClient

        self.change(ROOT_URLCONF=(path("", view), *more), **changed)
        return WebSocketClient(raise_request_exception=raise_request_exception)

    def change(self, **changed):
        override = override_settings(**changed)
        override.enable()
        self._overrides.append(override)

    def connect(self):
        """A connection of bytes to the site."""
        from dwebsocket.testing.server import ServerThread

        server_end, client_end = socket.socketpair()
        thread = ServerThread(server_end, in_request=True)
        thread.start()
        client = PairClient(client_end, thread)
        self._clients.append(client)
        return client

    def open(self, address="/", **request):
        """The same after the opening handshake."""
        client = self.connect()
        client.open(address, **request)
        return client

    def close(self):
        for client in self._clients:
            client.hang_up()
        for client in self._clients:
            client.join()
        end_sessions()
        while self._overrides:
            self._overrides.pop().disable()


def end_sessions():
    """Those that would wait for their clients to come back, and the threads of their views."""
    from dwebsocket.backends import view_threads
    from dwebsocket.backends.sessions import registry

    sessions = list(registry.sessions.values())
    for session in sessions:
        session.end(1001, "", farewell=False, lingers=False)
    if sessions:
        wait_until(lambda: view_threads.running == 0)


@pytest.fixture(name="site")
def make_site():
    site = Site()
    yield site
    site.close()


@pytest.fixture(name="reports")
def make_reports():
    return Reports()


@pytest.fixture(name="user")
def make_user():
    from django.contrib.auth import get_user_model

    user, _ = get_user_model().objects.get_or_create(username="ada")
    yield user
    user.delete()
    connections.close_all()


def wait_until(condition):
    """Poll for what nothing announces, with an absolute end."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
