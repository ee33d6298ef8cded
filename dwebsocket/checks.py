"""``manage.py check``: each setting is looked at before it can do harm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured

from dwebsocket.backends import check_factory_class
from dwebsocket.conf import conf
from dwebsocket.exceptions import InvalidGroupBackend
from dwebsocket.groups.current import create_backend, load_class
from dwebsocket.groups.members import Members
from dwebsocket.groups.workers import SEVERAL_WORKERS, count_workers
from dwebsocket.middleware import find_skipped_middleware, has_middleware
from dwebsocket.running.call_contexts import load_contexts
from dwebsocket.running.known_middleware import find_missing
from dwebsocket.upgrade.async_handler import check_middleware as check_async_middleware
from dwebsocket.ws_urls import check_urlconf

__all__ = ["check_contexts", "check_groups", "check_middleware", "check_settings"]

MIDDLEWARE = "dwebsocket.middleware.WebSocketMiddleware"


def check_group_backend() -> None:
    """Make a backend as ``WEBSOCKET_GROUPS`` describes it, and leave it."""
    create_backend(conf.GROUPS, Members()).close()


def reader(name: str) -> Callable[[], object]:
    return lambda: getattr(conf, name)


#: setting: (id of its error, what raises ImproperlyConfigured when it is wrong)
SETTINGS: dict[str, tuple[str, Callable[[], object]]] = {
    "WEBSOCKET_FACTORY_CLASS": ("dwebsocket.E001", check_factory_class),
    "WEBSOCKET_ACCEPT_ALL": ("dwebsocket.E002", reader("ACCEPT_ALL")),
    "WEBSOCKET_ALLOWED_ORIGINS": ("dwebsocket.E003", reader("ALLOWED_ORIGINS")),
    "WEBSOCKET_MAX_MESSAGE_SIZE": ("dwebsocket.E004", reader("MAX_MESSAGE_SIZE")),
    "WEBSOCKET_PING_INTERVAL": ("dwebsocket.E005", reader("PING_INTERVAL")),
    "WEBSOCKET_PING_TIMEOUT": ("dwebsocket.E006", reader("PING_TIMEOUT")),
    "WEBSOCKET_CLOSE_TIMEOUT": ("dwebsocket.E007", reader("CLOSE_TIMEOUT")),
    "WEBSOCKET_SEND_TIMEOUT": ("dwebsocket.E008", reader("SEND_TIMEOUT")),
    "WEBSOCKET_MAX_CONNECTIONS": ("dwebsocket.E009", reader("MAX_CONNECTIONS")),
    "WEBSOCKET_LEGACY": ("dwebsocket.E010", reader("LEGACY")),
    "WEBSOCKET_COMPRESSION": ("dwebsocket.E012", reader("COMPRESSION")),
    "WEBSOCKET_COMPRESSION_CONTEXT_TAKEOVER": (
        "dwebsocket.E013",
        reader("COMPRESSION_CONTEXT_TAKEOVER"),
    ),
    "WEBSOCKET_MAX_SEND_BUFFER": ("dwebsocket.E014", reader("MAX_SEND_BUFFER")),
    "WEBSOCKET_VIEW_THREADS": ("dwebsocket.E015", reader("VIEW_THREADS")),
    "WEBSOCKET_GROUPS": ("dwebsocket.E016", check_group_backend),
    "ROOT_WS_URLCONF": ("dwebsocket.E017", check_urlconf),
    "WS_MIDDLEWARE": ("dwebsocket.E018", check_async_middleware),
    "WEBSOCKET_CONTEXTS": ("dwebsocket.E019", load_contexts),
}


def check_settings(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Every setting of ours has a usable value."""
    found: dict[str, CheckMessage] = {}
    for check_id, check in SETTINGS.values():
        try:
            check()
        except ImproperlyConfigured as error:
            text = f"{str(error).removesuffix('.')}."
            found.setdefault(text, Error(text, id=check_id))  # the groups' backend reads others
    return [*found.values()]


def check_middleware(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """With ``WEBSOCKET_ACCEPT_ALL`` our middleware is there, and after those that guard views."""
    try:
        if not conf.ACCEPT_ALL:
            return []
    except ImproperlyConfigured:  # which check_settings tells
        return []
    if not has_middleware():
        return [
            Warning(
                "WEBSOCKET_ACCEPT_ALL does nothing without dwebsocket's middleware.",
                hint=f"Add {MIDDLEWARE!r} to the end of MIDDLEWARE.",
                id="dwebsocket.W001",
            )
        ]
    return [
        Error(
            f"{path} comes after dwebsocket's middleware in MIDDLEWARE, so its process_view "
            "would not run for the WebSockets that WEBSOCKET_ACCEPT_ALL accepts.",
            hint=f"Move {MIDDLEWARE!r} to the end of MIDDLEWARE.",
            id="dwebsocket.E011",
        )
        for path in find_skipped_middleware()
    ]


def check_contexts(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """What known middleware keeps while a request runs is there for handlers, too."""
    try:
        missing = find_missing()
    except ImproperlyConfigured:  # which check_settings tells
        return []
    hint = (
        "Add %r to WEBSOCKET_CONTEXTS. If there are no handlers and no async views, silence this."
    )
    return [
        Error(one.text, hint=hint % one.context, id="dwebsocket.E020")
        if one.is_harmful
        else Warning(one.text, hint=hint % one.context, id="dwebsocket.W003")
        for one in missing
    ]


def check_groups(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """The backend for groups reaches as many processes as there are."""
    found = count_workers()
    try:
        if found is None or load_class(conf.GROUPS).shared:
            return []
    except InvalidGroupBackend:  # which check_settings tells
        return []
    return [
        Warning(
            SEVERAL_WORKERS % found,
            hint="Choose 'dwebsocket.groups.redis.RedisGroupBackend', or run one worker. If no "
            "groups are used, silence this check.",
            id="dwebsocket.W002",
        )
    ]
