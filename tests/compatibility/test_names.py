"""Every name that code for earlier releases imports, and what it must be to that code."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.test import RequestFactory

ROOT = Path(__file__).resolve().parents[2]

NAMES = [
    ("dwebsocket", "accept_websocket"),
    ("dwebsocket", "require_websocket"),
    ("dwebsocket.decorators", "accept_websocket"),
    ("dwebsocket.decorators", "require_websocket"),
    ("dwebsocket.middleware", "WebSocketMiddleware"),
    ("dwebsocket.factory", "WebSocketFactory"),
    ("dwebsocket.websocket", "WebSocket"),
    ("dwebsocket.backends.default.factory", "WebSocketFactory"),
    ("dwebsocket.backends.default.websocket", "DefaultWebSocket"),
    ("dwebsocket.backends.uwsgi.factory", "uWsgiWebSocketFactory"),
]


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_name(module, name):
    assert callable(getattr(importlib.import_module(module), name))


def test_both_ways_to_the_decorators_are_one():
    import dwebsocket
    import dwebsocket.decorators

    assert dwebsocket.accept_websocket is dwebsocket.decorators.accept_websocket
    assert dwebsocket.require_websocket is dwebsocket.decorators.require_websocket


def test_star_import():
    names = {}
    exec("from dwebsocket import *", names)
    assert {"accept_websocket", "require_websocket"} <= names.keys()


def test_websocket_is_the_base_of_all():
    from dwebsocket.backends.default.websocket import DefaultWebSocket
    from dwebsocket.websocket import WebSocket

    assert issubclass(DefaultWebSocket, WebSocket)
    members = (
        "accept_connection",
        "send",
        "count_messages",
        "has_messages",
        "read",
        "wait",
        "__iter__",
        "close",
        "is_closed",
        "closed",
    )
    assert [name for name in members if not hasattr(WebSocket, name)] == []


def test_factories_have_their_old_members():
    from dwebsocket.backends.default import factory as default
    from dwebsocket.factory import WebSocketFactory

    assert issubclass(default.WebSocketFactory, WebSocketFactory)
    request = RequestFactory().get("/")
    made = default.WebSocketFactory(request)
    assert made.request is request
    assert made.is_websocket() is False
    assert made.create_websocket() is None
    assert callable(made.get_websocket_version)
    assert callable(made.get_wsgi_sock)


def test_uwsgi_factory_is_a_factory_even_outside_uwsgi():
    from dwebsocket.backends.uwsgi.factory import uWsgiWebSocketFactory
    from dwebsocket.factory import WebSocketFactory

    assert issubclass(uWsgiWebSocketFactory, WebSocketFactory)


def test_it_is_an_app():
    assert "dwebsocket" in settings.INSTALLED_APPS
    assert apps.get_app_config("dwebsocket").name == "dwebsocket"


@pytest.mark.parametrize("module", sorted({module for module, _ in NAMES}))
def test_import_with_nothing_but_django(module):
    """No server need be installed, no setting made."""
    code = (
        "import sys\n"
        "for name in ('gevent', 'eventlet', 'gunicorn', 'uwsgi', 'greenlet'):\n"
        "    sys.modules[name] = None\n"
        f"import {module}"
    )
    environment = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
