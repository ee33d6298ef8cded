"""Asking the processes of a server, from the test's process."""

from contextlib import contextmanager

from django.test import override_settings

from dwebsocket.groups.current import find_backend

from .glue import site

__all__ = ["among", "site"]  # which configures Django

MACHINE = {"BACKEND": "dwebsocket.groups.machine.MachineGroupBackend"}


@contextmanager
def among(server, setting=None):
    """Be one of the processes of its site."""
    directory = str(server.run_directory)
    with override_settings(WEBSOCKET_RUN_DIR=directory, WEBSOCKET_GROUPS=setting or MACHINE):
        try:
            yield
        finally:
            if backend := find_backend():
                backend.close()
