"""The app: ``'dwebsocket'`` in INSTALLED_APPS gives the system checks."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register
from django.utils.autoreload import autoreload_started, file_changed

from dwebsocket import checks
from dwebsocket.backends.sockets.sweeper import expect_restart
from dwebsocket.handover import expect, expect_under_reloader

__all__ = ["DwebsocketConfig"]


class DwebsocketConfig(AppConfig):
    """WebSockets in ordinary views."""

    name = "dwebsocket"
    verbose_name = "WebSockets"

    def ready(self) -> None:
        register(checks.check_settings)
        register(checks.check_names)
        register(checks.check_backend)
        register(checks.check_middleware)
        register(checks.check_listed_middleware)
        register(checks.check_groups)
        register(checks.check_contexts)
        register(checks.check_deployment, deploy=True)
        file_changed.connect(expect_restart, dispatch_uid="dwebsocket.sweeper")
        autoreload_started.connect(expect_under_reloader, dispatch_uid="dwebsocket.handover")
        expect()
