"""The settings, read when they are used, so that ``override_settings`` works."""

from __future__ import annotations

from typing import Any, TypeVar

from django.conf import settings as django_settings
from django.core.signals import setting_changed

__all__ = ["conf"]

#: More bytes than any message has, and room to count one further.
UNLIMITED = 1 << 62

MEMORY_GROUPS = "dwebsocket.groups.memory.MemoryGroupBackend"

Value = TypeVar("Value")


class Conf:
    """One property a setting: ``conf.PING_INTERVAL`` is ``settings.WEBSOCKET_PING_INTERVAL``."""

    def __init__(self) -> None:
        # A missing attribute is the slowest thing to ask Django's settings for, and each handshake
        # asks for ten: remembered until a setting changes.
        self._values: dict[str, Any] = {}
        setting_changed.connect(self._forget, dispatch_uid="dwebsocket.conf")

    def _forget(self, **kwargs: Any) -> None:
        self._values.clear()

    def _get(self, name: str, default: Value, prefix: str = "WEBSOCKET_") -> Value:
        try:
            value: Value = self._values[name]
        except KeyError:
            value = self._values[name] = getattr(django_settings, prefix + name, default)
        return value

    @property
    def FACTORY_CLASS(self) -> str | None:
        """Dotted path of the backend's factory; ``None``: by the server that runs the request."""
        return self._get("FACTORY_CLASS", None)

    @property
    def ACCEPT_ALL(self) -> bool:
        """Whether every view accepts WebSockets."""
        return bool(self._get("ACCEPT_ALL", False))

    @property
    def ALLOWED_ORIGINS(self) -> list[str]:
        """Origins besides the site's own; ``["*"]`` turns the check off."""
        value: list[str] | None = self._get("ALLOWED_ORIGINS", None)
        return list(django_settings.CSRF_TRUSTED_ORIGINS) if value is None else list(value)

    @property
    def MAX_MESSAGE_SIZE(self) -> int:
        """Bytes; beyond, the connection is closed with 1009. ``None``: no limit."""
        value: int | None = self._get(
            "MAX_MESSAGE_SIZE", django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        )
        return UNLIMITED if value is None else value

    @property
    def PING_INTERVAL(self) -> float | None:
        """Seconds of silence after which a Ping is sent; ``None``: never."""
        return self._get("PING_INTERVAL", 20)

    @property
    def PING_TIMEOUT(self) -> float | None:
        """Seconds a peer has to answer a Ping before it is dropped; ``None``: for ever."""
        return self._get("PING_TIMEOUT", 20)

    @property
    def CLOSE_TIMEOUT(self) -> float:
        """Seconds the closing handshake may take."""
        return self._get("CLOSE_TIMEOUT", 5)

    @property
    def SEND_TIMEOUT(self) -> float | None:
        """Seconds a peer has to take one message before it is dropped; ``None``: for ever."""
        return self._get("SEND_TIMEOUT", 20)

    @property
    def MAX_SEND_BUFFER(self) -> int:
        """Bytes that may wait for a slow reader whom nobody waits for; beyond, it is closed with
        1013.
        """
        return self._get("MAX_SEND_BUFFER", 1 << 20)

    @property
    def ROOT_WS_URLCONF(self) -> str | None:
        """``settings.ROOT_WS_URLCONF``, dotted path of the URLconf in which WebSockets are looked
        for first under ASGI; ``None``: ``ws_urls`` beside ``ROOT_URLCONF``, if there is one.
        """
        return self._get("ROOT_WS_URLCONF", None, prefix="")

    @property
    def WS_MIDDLEWARE(self) -> list[str]:
        """``settings.WS_MIDDLEWARE``, dotted paths of what is put around the life of an async
        handler, the outermost first.
        """
        return list(self._get("WS_MIDDLEWARE", (), prefix=""))

    @property
    def GROUPS(self) -> dict[str, Any]:
        """What carries what is sent to groups: ``BACKEND``, ``LOCATION``, ``OPTIONS``."""
        return self._get("GROUPS", {"BACKEND": MEMORY_GROUPS})

    @property
    def VIEW_THREADS(self) -> int:
        """Threads a process for views on servers with few of their own; beyond, the handshake is
        answered with 503. 0: views stay in the server's thread.
        """
        return self._get("VIEW_THREADS", 1000)

    @property
    def COMPRESSION(self) -> bool:
        """Whether permessage-deflate is agreed on when the client offers it."""
        return bool(self._get("COMPRESSION", True))

    @property
    def COMPRESSION_CONTEXT_TAKEOVER(self) -> bool:
        """Whether compression remembers earlier messages, at the price of some 30 KiB a
        connection.
        """
        return bool(self._get("COMPRESSION_CONTEXT_TAKEOVER", False))

    @property
    def MAX_CONNECTIONS(self) -> int | None:
        """WebSockets a process; beyond, the handshake is answered with 503. ``None``: as many as
        the descriptors of the process, and of uWSGI's router, allow.
        """
        return self._get("MAX_CONNECTIONS", None)

    @property
    def LEGACY(self) -> bool:
        """Whether messages and errors are those of dwebsocket 0.5."""
        return bool(self._get("LEGACY", False))


conf = Conf()
