"""``manage.py check``: each setting is looked at before it can do harm."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured

from dwebsocket.backends import UWSGI, check_factory_class
from dwebsocket.conf import DEFAULT_GROUPS, UNLIMITED, conf
from dwebsocket.conf.misspelt import find_misspelt
from dwebsocket.exceptions import ForeignRunDirectory
from dwebsocket.groups.current import create_backend, find_obstacle, load_class
from dwebsocket.groups.members import Members
from dwebsocket.groups.workers import OTHERS, SEVERAL_WORKERS, count_workers
from dwebsocket.middleware import find_skipped_middleware, has_middleware
from dwebsocket.running.call_contexts import load_contexts
from dwebsocket.running.known_middleware import find_missing
from dwebsocket.upgrade.async_handler import check_middleware as check_async_middleware
from dwebsocket.ws_urls import check_urlconf

__all__ = [
    "check_backend",
    "check_contexts",
    "check_deployment",
    "check_groups",
    "check_listed_middleware",
    "check_middleware",
    "check_names",
    "check_settings",
]

MIDDLEWARE = "dwebsocket.middleware.WebSocketMiddleware"


EVERY_ORIGIN = (
    "dwebsocket.W009",
    "WEBSOCKET_ALLOWED_ORIGINS is ['*']: a page of any site can open WebSockets here with the "
    "cookies, and so in the name, of whoever looks at it.",
    "Name the origins of your own pages, such as 'https://www.example.com'. The site's own needs "
    "no name.",
)
NO_LIMIT = (
    "dwebsocket.W010",
    "There is no limit to the size of a message: one client can fill the memory.",
    "Set WEBSOCKET_MAX_MESSAGE_SIZE to the bytes of your longest message.",
)
NO_PINGS = (
    "dwebsocket.W011",
    "WEBSOCKET_PING_INTERVAL or WEBSOCKET_PING_TIMEOUT is None: a client that has gone without a "
    "word holds its connection for ever.",
    "Remove the setting, or set it to seconds.",
)


def check_group_backend() -> None:
    """Make a backend as ``WEBSOCKET_GROUPS`` describes it, and leave it."""
    if conf.GROUPS is not DEFAULT_GROUPS:
        with suppress(ForeignRunDirectory):  # another user serves the site, and may use it
            create_backend(conf.GROUPS, Members()).close()


def check_run_directory() -> None:
    """Look at the directory, if there is one."""
    if conf.RUN_DIR is None:
        return
    try:
        from dwebsocket.machine import find_directory
    except ImportError:  # Windows
        raise ImproperlyConfigured(
            "WEBSOCKET_RUN_DIR is of no use on a system without Unix sockets"
        ) from None
    with suppress(ForeignRunDirectory):  # that of the user who serves the site
        find_directory()


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
    "WEBSOCKET_HANDOVER": ("dwebsocket.E031", reader("HANDOVER")),
    "WEBSOCKET_HANDOVER_TIMEOUT": ("dwebsocket.E032", reader("HANDOVER_TIMEOUT")),
    "WEBSOCKET_DRAIN": ("dwebsocket.E033", reader("DRAIN")),
    "WEBSOCKET_TAKE_OVER": ("dwebsocket.E034", reader("TAKE_OVER")),
    "WEBSOCKET_RUN_DIR": ("dwebsocket.E023", check_run_directory),
    "WEBSOCKET_GROUPS": ("dwebsocket.E016", check_group_backend),
    "ROOT_WS_URLCONF": ("dwebsocket.E017", check_urlconf),
    "WS_MIDDLEWARE": ("dwebsocket.E018", check_async_middleware),
    "WEBSOCKET_CONTEXTS": ("dwebsocket.E019", load_contexts),
    "WEBSOCKET_GROUPS_ON_COMMIT": ("dwebsocket.E021", reader("GROUPS_ON_COMMIT")),
    "WEBSOCKET_GROUP_HISTORY": ("dwebsocket.E022", reader("GROUP_HISTORY")),
    "WEBSOCKET_PRESENCE_GRACE": ("dwebsocket.E024", reader("PRESENCE_GRACE")),
    "WEBSOCKET_FALLBACK": ("dwebsocket.E025", reader("FALLBACK")),
    "WEBSOCKET_RESUME_TIMEOUT": ("dwebsocket.E026", reader("RESUME_TIMEOUT")),
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


def check_names(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """No setting looks as if it were ours and is not, or is read by another package alone."""
    found: list[CheckMessage] = [
        Warning(
            f"Nobody reads {name}: dwebsocket has no setting of this name.",
            hint=f"Do you mean {near}? If it is a setting of your own, silence this check.",
            id="dwebsocket.W004",
        )
        for name, near in find_misspelt()
    ]
    layers = getattr(settings, "CHANNEL_LAYERS", None)
    if layers and not (apps.is_installed("channels") or hasattr(settings, "WEBSOCKET_GROUPS")):
        found.append(
            Warning(
                "CHANNEL_LAYERS is read by Channels alone, which is not installed: groups reach "
                "the processes of their own machine only.",
                hint="With several machines name the Redis in WEBSOCKET_GROUPS: {'BACKEND': "
                "'dwebsocket.groups.redis.RedisGroupBackend', 'LOCATION': 'redis://…'}.",
                id="dwebsocket.W005",
            )
        )
    return found


def check_listed_middleware(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Our middleware is listed once, where Django reads it."""
    found: list[CheckMessage] = []
    if [*settings.MIDDLEWARE].count(MIDDLEWARE) > 1:
        found.append(
            Warning(
                f"MIDDLEWARE lists {MIDDLEWARE!r} more than once, and one does it all.",
                hint="Remove all but the last one.",
                id="dwebsocket.W006",
            )
        )
    if getattr(settings, "MIDDLEWARE_CLASSES", None):
        found.append(
            Warning(
                "MIDDLEWARE_CLASSES is not read by Django any more: nothing that it lists runs.",
                hint=f"List it in MIDDLEWARE. Views that are decorated need no {MIDDLEWARE!r}.",
                id="dwebsocket.W007",
            )
        )
    return found


def check_backend(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """The backend for uWSGI is not chosen for servers that are none."""
    try:
        if conf.FACTORY_CLASS != UWSGI or "uwsgi" in sys.modules:  # which is there in uWSGI alone
            return []
    except ImproperlyConfigured:  # which check_settings tells
        return []
    return [
        Warning(
            "WEBSOCKET_FACTORY_CLASS names the uWSGI backend, and this process is not run by "
            "uWSGI: here every handshake would be refused with 501.",
            hint="Remove the setting: under uWSGI this backend is chosen without it.",
            id="dwebsocket.W008",
        )
    ]


def check_deployment(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """What protects a site in the open is not switched off (``check --deploy``)."""
    try:
        found = [
            (conf.ALLOWED_ORIGINS == ["*"], EVERY_ORIGIN),
            (conf.MAX_MESSAGE_SIZE >= UNLIMITED, NO_LIMIT),
            (conf.PING_INTERVAL is None or conf.PING_TIMEOUT is None, NO_PINGS),
        ]
    except ImproperlyConfigured:  # which check_settings tells
        return []
    return [
        Warning(text, hint=hint, id=check_id) for is_so, (check_id, text, hint) in found if is_so
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
    if found is None:
        return []
    try:
        if conf.GROUPS is DEFAULT_GROUPS:
            obstacle = find_obstacle()
            if obstacle is None or isinstance(obstacle, ForeignRunDirectory):
                return []
            hint = f"All of this machine would be reached, but {obstacle}."
        elif load_class(conf.GROUPS).shared:
            return []
        else:
            hint = f"{OTHERS}; or run one worker."
    except ImproperlyConfigured:  # which check_settings tells
        return []
    hint += " If no groups are used, silence this check."
    return [Warning(SEVERAL_WORKERS % found, hint=hint, id="dwebsocket.W002")]
