"""Fixtures for pytest: ``websocket_client`` and ``async_websocket_client``.

pytest imports this at its start, in every project of an environment that has dwebsocket. So it is
no part of the package, which imports Django; that is imported when a test asks for a fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dwebsocket.testing import AsyncWebSocketClient, WebSocketClient

__all__ = ["async_websocket_client", "websocket_client"]


@pytest.fixture
def websocket_client() -> WebSocketClient:
    """Django's test client, which can also open WebSockets."""
    from dwebsocket.testing import WebSocketClient

    return WebSocketClient()


@pytest.fixture
def async_websocket_client() -> AsyncWebSocketClient:
    """Django's async test client, which can also open WebSockets."""
    from dwebsocket.testing import AsyncWebSocketClient

    return AsyncWebSocketClient()
