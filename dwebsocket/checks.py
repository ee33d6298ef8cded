"""``manage.py check``: each setting is looked at before it can do harm."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.urls import get_resolver
from django.utils.module_loading import import_string

from dwebsocket.conf import conf
from dwebsocket.exceptions import InvalidGroupBackend
from dwebsocket.groups.current import create_backend, load_class
from dwebsocket.groups.members import Members
from dwebsocket.groups.workers import SEVERAL_WORKERS, count_workers
from dwebsocket.handlers import WebSocketHandler
from dwebsocket.middleware import find_skipped_middleware, has_middleware
from dwebsocket.ws_urls import find_urlconf

__all__ = ["check_groups", "check_middleware", "check_settings"]

MIDDLEWARE = "dwebsocket.middleware.WebSocketMiddleware"

#: setting: (id of its error, may it be None, may it be zero)
NUMBERS = {
    "MAX_MESSAGE_SIZE": ("dwebsocket.E004", True, False),
    "PING_INTERVAL": ("dwebsocket.E005", True, False),
    "PING_TIMEOUT": ("dwebsocket.E006", True, False),
    "CLOSE_TIMEOUT": ("dwebsocket.E007", False, True),
    "SEND_TIMEOUT": ("dwebsocket.E008", True, False),
    "MAX_CONNECTIONS": ("dwebsocket.E009", True, False),
    "MAX_SEND_BUFFER": ("dwebsocket.E014", False, False),
    "VIEW_THREADS": ("dwebsocket.E015", False, True),
}
WHOLE_NUMBERS = {"MAX_MESSAGE_SIZE", "MAX_CONNECTIONS", "MAX_SEND_BUFFER", "VIEW_THREADS"}
FLAGS = {
    "ACCEPT_ALL": "dwebsocket.E002",
    "LEGACY": "dwebsocket.E010",
    "COMPRESSION": "dwebsocket.E012",
    "COMPRESSION_CONTEXT_TAKEOVER": "dwebsocket.E013",
}


def check_settings(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Every setting of ours has a usable value."""
    return [
        *check_factory_class(),
        *check_flags(),
        *check_allowed_origins(),
        *check_numbers(),
        *check_group_backend(),
        *check_urlconf(),
        *check_async_middleware(),
    ]


def check_factory_class() -> Iterator[CheckMessage]:
    path = conf.FACTORY_CLASS
    if path is None:
        return
    if not isinstance(path, str):
        yield Error(
            f"WEBSOCKET_FACTORY_CLASS is {path!r}, it must be the dotted path of a class.",
            id="dwebsocket.E001",
        )
        return
    try:
        factory = import_string(path)
    except ImportError as error:
        yield Error(
            f"WEBSOCKET_FACTORY_CLASS: {path!r} cannot be imported: {error}",
            hint="'dwebsocket.backends.default.factory.WebSocketFactory' serves most servers; "
            "without the setting the backend is chosen by the server.",
            id="dwebsocket.E001",
        )
        return
    if not (inspect.isclass(factory) and callable(getattr(factory, "create_websocket", None))):
        yield Error(
            f"WEBSOCKET_FACTORY_CLASS: {path!r} is no class with a create_websocket() method.",
            hint="Derive it from dwebsocket.factory.WebSocketFactory.",
            id="dwebsocket.E001",
        )


def check_flags() -> Iterator[CheckMessage]:
    for name, check_id in FLAGS.items():
        value = getattr(settings, "WEBSOCKET_" + name, False)
        if not isinstance(value, bool):
            yield Error(f"WEBSOCKET_{name} is {value!r}, it must be True or False.", id=check_id)


def check_allowed_origins() -> Iterator[CheckMessage]:
    value = getattr(settings, "WEBSOCKET_ALLOWED_ORIGINS", None)
    if value is None:
        return
    if isinstance(value, str) or not isinstance(value, (list, tuple, set, frozenset)):
        yield Error(
            f"WEBSOCKET_ALLOWED_ORIGINS is {value!r}, it must be a list of origins.",
            id="dwebsocket.E003",
        )
        return
    for origin in value:
        if origin != "*" and not (isinstance(origin, str) and "://" in origin):
            yield Error(
                f"WEBSOCKET_ALLOWED_ORIGINS holds {origin!r}, which is no origin.",
                hint="An origin is scheme://host or scheme://host:port, such as "
                "'https://www.example.com' or 'https://*.example.com'; '*' allows every origin.",
                id="dwebsocket.E003",
            )


def check_numbers() -> Iterator[CheckMessage]:
    for name, (check_id, may_be_none, may_be_zero) in NUMBERS.items():
        value = getattr(settings, "WEBSOCKET_" + name, 1)
        if value is None and may_be_none:
            continue
        kinds = (int,) if name in WHOLE_NUMBERS else (int, float)
        is_number = isinstance(value, kinds) and not isinstance(value, bool)
        if not is_number or value < 0 or (value == 0 and not may_be_zero):
            wanted = "a whole number" if name in WHOLE_NUMBERS else "a number of seconds"
            yield Error(
                f"WEBSOCKET_{name} is {value!r}, it must be {wanted} "
                f"{'of at least' if may_be_zero else 'above'} 0{' or None' * may_be_none}.",
                id=check_id,
            )


def check_middleware(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """With ``WEBSOCKET_ACCEPT_ALL`` our middleware is there, and after those that guard views."""
    if not conf.ACCEPT_ALL:
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


def check_group_backend() -> Iterator[CheckMessage]:
    try:
        create_backend(conf.GROUPS, Members()).close()
    except InvalidGroupBackend as error:
        yield Error(f"{error}.", id="dwebsocket.E016")


def check_urlconf() -> Iterator[CheckMessage]:
    name = find_urlconf()
    if name is None:
        return
    wrong = None
    if not isinstance(name, str):
        wrong = "must be the dotted path of a URLconf"
    else:
        try:
            if not isinstance(getattr(import_module(name), "urlpatterns", None), (list, tuple)):
                wrong = "has no list of urlpatterns"
            elif strangers := find_strangers(get_resolver(name).url_patterns):
                wrong = f"lists {strangers[0]}, no WebSocketHandler: it needs .as_view()"
        except ImportError as error:
            wrong = f"cannot be imported: {error}"
    if wrong:
        yield Error(
            f"ROOT_WS_URLCONF is {name!r}, which {wrong}.",
            hint="Without the setting it is ws_urls beside ROOT_URLCONF, if that is there.",
            id="dwebsocket.E017",
        )


def find_strangers(patterns: list[Any]) -> list[str]:
    """The classes that stand there as a handler may, and are none."""
    found = []
    for pattern in patterns:
        view = getattr(pattern, "callback", None)
        if isinstance(view, type) and not issubclass(view, WebSocketHandler):
            found.append(view.__qualname__)
        found += find_strangers(getattr(pattern, "url_patterns", []))
    return found


def check_async_middleware() -> Iterator[CheckMessage]:
    value = getattr(settings, "WS_MIDDLEWARE", ())
    if not isinstance(value, (list, tuple)):
        yield Error(
            f"WS_MIDDLEWARE is {value!r}, it must be a list of dotted paths.", id="dwebsocket.E018"
        )
        return
    for path in value:
        try:
            wrong = None if callable(import_string(path)) else "is no callable"
        except (AttributeError, ImportError) as error:  # it is not even a string
            wrong = f"cannot be imported: {error}"
        if wrong:
            yield Error(
                f"WS_MIDDLEWARE holds {path!r}, which {wrong}.",
                hint="An entry is called with what it wraps, and returns an async callable that "
                "takes the handler.",
                id="dwebsocket.E018",
            )


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
