"""The settings, read when they are used, so that ``override_settings`` works.

A wrong one raises ``ImproperlyConfigured`` where it is read, in the words of its system check.
"""

from __future__ import annotations

from typing import Any, TypeVar

from django.conf import settings as django_settings
from django.core.signals import setting_changed

from dwebsocket.conf.validators import (
    MAX_WHOLE,
    Validator,
    directory,
    dotted_paths,
    factory_path,
    flag,
    history_rules,
    optional,
    origins,
    seconds,
    trusted_origins,
    upload_size,
    urlconf_path,
    whole,
)

__all__ = ["DEFAULT_GROUPS", "UNLIMITED", "Conf", "conf"]

UNLIMITED = MAX_WHOLE
UNSET: Any = object()

#: All processes of this machine; those of one process where that cannot be.
DEFAULT_GROUPS = {"BACKEND": "dwebsocket.groups.machine.MachineGroupBackend"}

Value = TypeVar("Value")

seconds_or_none, seconds_or_zero = optional(seconds()), seconds(least=0)
above_zero, whole_or_zero = whole(), whole(least=0)
above_zero_or_none = optional(above_zero)


class Conf:
    """One property a setting: ``conf.PING_INTERVAL`` is ``settings.WEBSOCKET_PING_INTERVAL``.

    Attributes:
        checked: whether somebody has found all of them right, those that name what is imported,
            too; ``False`` again when one changes.
    """

    def __init__(self) -> None:
        # A missing attribute is the slowest thing to ask Django's settings for, and each handshake
        # asks for ten: remembered until a setting changes. So a value is looked at once, too.
        self._values: dict[str, Any] = {}
        self.checked = False
        setting_changed.connect(self._forget, dispatch_uid="dwebsocket.conf")

    def _forget(self, **kwargs: Any) -> None:
        self.checked = False
        self._values.clear()

    def check_values(self) -> None:
        """Read all of them.

        Raises:
            ImproperlyConfigured: one is wrong.
        """
        for name in vars(Conf):
            if name.isupper():
                getattr(self, name)

    def _get(
        self, name: str, default: Any, validate: Validator[Value], prefix: str = "WEBSOCKET_"
    ) -> Value:
        try:
            value: Value = self._values[name]
        except KeyError:
            pass  # and out of it: what is wrong is no consequence of that
        else:
            return value
        found = getattr(django_settings, prefix + name, default)
        value = self._values[name] = validate(prefix + name, found)
        return value

    @property
    def FACTORY_CLASS(self) -> str | None:
        """Dotted path of the backend's factory; ``None``: by the server that runs the request."""
        return self._get("FACTORY_CLASS", None, factory_path)

    @property
    def ACCEPT_ALL(self) -> bool:
        """Whether every view accepts WebSockets."""
        return self._get("ACCEPT_ALL", False, flag)

    @property
    def TAKE_OVER(self) -> bool:
        """Whether connections are taken from ASGI servers that let go of them."""
        return self._get("TAKE_OVER", True, flag)

    @property
    def ALLOWED_ORIGINS(self) -> list[str]:
        """Origins besides the site's own; ``["*"]`` turns the check off."""
        return self._get("ALLOWED_ORIGINS", None, allowed_origins)

    @property
    def MAX_MESSAGE_SIZE(self) -> int:
        """Bytes; beyond, the connection is closed with 1009. ``None``: no limit."""
        return self._get("MAX_MESSAGE_SIZE", UNSET, max_message_size)

    @property
    def PING_INTERVAL(self) -> float | None:
        """Seconds of silence after which a Ping is sent; ``None``: never."""
        return self._get("PING_INTERVAL", 20, seconds_or_none)

    @property
    def PING_TIMEOUT(self) -> float | None:
        """Seconds a peer has to answer a Ping before it is dropped; ``None``: for ever."""
        return self._get("PING_TIMEOUT", 20, seconds_or_none)

    @property
    def CLOSE_TIMEOUT(self) -> float:
        """Seconds the closing handshake may take."""
        return self._get("CLOSE_TIMEOUT", 5, seconds_or_zero)

    @property
    def SEND_TIMEOUT(self) -> float | None:
        """Seconds a peer has to take one message before it is dropped; ``None``: for ever."""
        return self._get("SEND_TIMEOUT", 20, seconds_or_none)

    @property
    def MAX_SEND_BUFFER(self) -> int:
        """Bytes that may wait for a slow reader whom nobody waits for; beyond, it is closed with
        1013.
        """
        return self._get("MAX_SEND_BUFFER", 1 << 20, above_zero)

    @property
    def ROOT_WS_URLCONF(self) -> str | None:
        """``settings.ROOT_WS_URLCONF``, dotted path of the URLconf in which WebSockets are looked
        for first under ASGI; ``None``: ``ws_urls`` beside ``ROOT_URLCONF``, if there is one.
        """
        return self._get("ROOT_WS_URLCONF", None, urlconf_path, prefix="")

    @property
    def WS_MIDDLEWARE(self) -> list[str]:
        """``settings.WS_MIDDLEWARE``, dotted paths of what is put around the life of an async
        handler, the outermost first.
        """
        return self._get("WS_MIDDLEWARE", (), dotted_paths, prefix="")

    @property
    def CONTEXTS(self) -> list[str]:
        """Dotted paths of functions that take the request and return what is put around each call
        that comes after it has ended, the outermost first.
        """
        return self._get("CONTEXTS", (), dotted_paths)

    @property
    def GROUPS(self) -> dict[str, Any]:
        """What carries what is sent to groups: ``BACKEND``, ``LOCATION``, ``OPTIONS``."""
        return self._get("GROUPS", DEFAULT_GROUPS, as_it_is)

    @property
    def GROUPS_ON_COMMIT(self) -> bool:
        """Whether what is sent to a group in a transaction is sent when that is committed."""
        return self._get("GROUPS_ON_COMMIT", False, flag)

    @property
    def GROUP_HISTORY(self) -> dict[str, tuple[int, float, bool]]:
        """For patterns of groups' names how many messages are kept, for how many seconds, and
        whether who joins is sent the newest.
        """
        return self._get("GROUP_HISTORY", {}, history_rules)

    @property
    def PRESENCE_GRACE(self) -> float:
        """Seconds for which a key stays present in a group when its last WebSocket has closed."""
        return self._get("PRESENCE_GRACE", 15, seconds_or_zero)

    @property
    def RUN_DIR(self) -> str | None:
        """Where the processes of a machine meet; ``None``: a directory of the system's for
        temporary files.
        """
        return self._get("RUN_DIR", None, directory)

    @property
    def FALLBACK(self) -> bool:
        """Whether HTTP polls carry what no WebSocket gets through to."""
        return self._get("FALLBACK", True, flag)

    @property
    def RESUME_TIMEOUT(self) -> float:
        """Seconds for which what uses a WebSocket goes on without its connection, until the client
        comes back; 0: not at all.
        """
        return self._get("RESUME_TIMEOUT", 30, seconds_or_zero)

    @property
    def HANDOVER(self) -> bool:
        """Whether the connections of handlers go to another process when theirs ends, unless the
        handler says otherwise.
        """
        return self._get("HANDOVER", False, flag)

    @property
    def HANDOVER_TIMEOUT(self) -> float:
        """Seconds that a handler's method may go on when its connection is to be handed over."""
        return self._get("HANDOVER_TIMEOUT", 10, seconds_or_zero)

    @property
    def DRAIN(self) -> float:
        """Seconds over which connections are closed that stay behind where another process has
        taken the place of theirs; 0: all at once.
        """
        return self._get("DRAIN", 30, seconds_or_zero)

    @property
    def VIEW_THREADS(self) -> int:
        """Threads a process for views on servers with few of their own; beyond, the handshake is
        answered with 503. 0: views stay in the server's thread.
        """
        return self._get("VIEW_THREADS", 1000, whole_or_zero)

    @property
    def COMPRESSION(self) -> bool:
        """Whether permessage-deflate is agreed on when the client offers it."""
        return self._get("COMPRESSION", True, flag)

    @property
    def COMPRESSION_CONTEXT_TAKEOVER(self) -> bool:
        """Whether compression remembers earlier messages, at the price of some 30 KiB a
        connection.
        """
        return self._get("COMPRESSION_CONTEXT_TAKEOVER", False, flag)

    @property
    def MAX_CONNECTIONS(self) -> int | None:
        """WebSockets a process; beyond, the handshake is answered with 503. ``None``: as many as
        the descriptors of the process, and of uWSGI's router, allow.
        """
        return self._get("MAX_CONNECTIONS", None, above_zero_or_none)

    @property
    def LEGACY(self) -> bool:
        """Whether messages and errors are those of dwebsocket 0.5."""
        return self._get("LEGACY", False, flag)


def as_it_is(name: str, value: Any) -> Any:
    """It is looked at where it is used: a backend has its own words for what it holds."""
    return value


def allowed_origins(name: str, value: Any) -> list[str]:
    """The setting's, else those that Django trusts."""
    if value is None:
        trusted = "CSRF_TRUSTED_ORIGINS"
        return trusted_origins(trusted, getattr(django_settings, trusted))
    return origins(name, value)


def max_message_size(name: str, value: Any) -> int:
    """The setting's, else what Django takes as the body of a request."""
    validate = above_zero
    if value is UNSET:
        name = "DATA_UPLOAD_MAX_MEMORY_SIZE"
        value, validate = getattr(django_settings, name), upload_size
    found = optional(validate)(name, value)
    return UNLIMITED if found is None else found


conf = Conf()
