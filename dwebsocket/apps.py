"""The app: ``'dwebsocket'`` in INSTALLED_APPS gives the system checks."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register
from django.utils.autoreload import file_changed

from dwebsocket.backends.sockets.sweeper import expect_restart
from dwebsocket.checks import check_contexts, check_groups, check_middleware, check_settings

__all__ = ["DwebsocketConfig"]


class DwebsocketConfig(AppConfig):
    """WebSockets in ordinary views."""

    name = "dwebsocket"
    verbose_name = "WebSockets"

    def ready(self) -> None:
        register(check_settings)
        register(check_middleware)
        register(check_groups)
        register(check_contexts)
        file_changed.connect(expect_restart, dispatch_uid="dwebsocket.sweeper")
