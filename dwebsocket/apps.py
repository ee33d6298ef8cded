"""The app: ``'dwebsocket'`` in INSTALLED_APPS gives the system checks."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register

from dwebsocket.checks import check_middleware, check_settings

__all__ = ["DwebsocketConfig"]


class DwebsocketConfig(AppConfig):
    """WebSockets in ordinary views."""

    name = "dwebsocket"
    verbose_name = "WebSockets"

    def ready(self) -> None:
        register(check_settings)
        register(check_middleware)
