"""The exceptions that users meet: what they are, what they carry, what they say."""

import pickle

import pytest
from django.core.exceptions import ImproperlyConfigured

import dwebsocket
from dwebsocket import exceptions
from dwebsocket.exceptions import ConnectionClosed


def test_connection_closed_is_an_eof_error():
    assert issubclass(ConnectionClosed, EOFError)
    assert dwebsocket.ConnectionClosed is ConnectionClosed


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionClosed(), "the WebSocket is closed: 1006"),
        (ConnectionClosed(1000), "the WebSocket is closed: 1000"),
        (ConnectionClosed(4001, "bye"), "the WebSocket is closed: 4001 bye"),
    ],
)
def test_connection_closed_says_code_and_reason(error, text):
    assert str(error) == text


def test_connection_closed_survives_pickling():
    copy = pickle.loads(pickle.dumps(ConnectionClosed(4001, "bye")))
    assert (copy.code, copy.reason) == (4001, "bye")


@pytest.mark.parametrize(
    ("name", "parent", "status"),
    [
        ("InvalidHandshake", "WebSocketError", 400),
        ("InvalidOrigin", "InvalidHandshake", 403),
        ("UnsupportedVersion", "InvalidHandshake", 426),
        ("InvalidState", "WebSocketError", None),
        ("ConnectionClosed", "WebSocketError", None),
    ],
)
def test_tree(name, parent, status):
    error = getattr(exceptions, name)
    assert issubclass(error, getattr(exceptions, parent))
    assert getattr(error, "status_code", None) == status


def test_unsupported_version_names_ours():
    assert exceptions.UnsupportedVersion.headers == {"Sec-WebSocket-Version": "13"}


@pytest.mark.parametrize("name", ["InvalidWebSocketBackend", "SocketTakeoverError"])
def test_configuration_errors(name):
    assert issubclass(getattr(exceptions, name), ImproperlyConfigured)
