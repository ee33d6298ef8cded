"""Middleware of others that keeps in threads, or on connections, what is gone when its request has
ended, and the context of ``WEBSOCKET_CONTEXTS`` that brings it back.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.utils import load_backend
from django.utils.module_loading import import_string

from dwebsocket.running.call_contexts import load_contexts

__all__ = [
    "CURRENT_REQUEST",
    "REQUEST_ID",
    "TENANT",
    "Found",
    "Missing",
    "check_known_middleware",
    "find_engines",
    "find_listed",
    "find_missing",
]

logger = logging.getLogger("dwebsocket.handshake")

TENANT = "dwebsocket.contexts.tenant"
CURRENT_REQUEST = "dwebsocket.contexts.current_request"
REQUEST_ID = "dwebsocket.contexts.request_id"

NO_TENANT = (
    "they would read and write what belongs to no tenant, or to all, and are refused with 500"
)
NO_REQUEST = "it has no request and no user for them, and what they save is nobody's"
NO_ID = "their log lines have no request id"

#: The middleware's own name, which a project may list otherwise, or derive from: its context.
KNOWN = {
    "django_tenants.middleware.main.TenantMainMiddleware": TENANT,
    "tenant_schemas.middleware.BaseTenantMiddleware": TENANT,
    "django_multitenant.middlewares.MultitenantMiddleware": TENANT,
    "auditlog.middleware.AuditlogMiddleware": CURRENT_REQUEST,
    "crum.CurrentRequestUserMiddleware": CURRENT_REQUEST,
    "django_currentuser.middleware.ThreadLocalUserMiddleware": CURRENT_REQUEST,
    "django_middleware_global_request.middleware.GlobalRequestMiddleware": CURRENT_REQUEST,
    "easyaudit.middleware.easyaudit.EasyAuditMiddleware": CURRENT_REQUEST,
    "pghistory.middleware.HistoryMiddleware": CURRENT_REQUEST,
    "simple_history.middleware.HistoryRequestMiddleware": CURRENT_REQUEST,
    "threadlocals.middleware.ThreadLocalMiddleware": CURRENT_REQUEST,
    "log_request_id.middleware.RequestIDMiddleware": REQUEST_ID,
}

#: What happens without one.
WITHOUT = {TENANT: NO_TENANT, CURRENT_REQUEST: NO_REQUEST, REQUEST_ID: NO_ID}


class Found(NamedTuple):
    """A known middleware that the settings list.

    Attributes:
        path: as they list it.
        name: the name under which it is known.
        middleware: the class or function itself.
    """

    path: str
    name: str
    middleware: Any


class Missing(NamedTuple):
    """What a context is for is there, and the context is not listed.

    Attributes:
        setting: where the settings have it.
        path: what it is.
        context: the context.
    """

    setting: str
    path: str
    context: str

    @property
    def is_harmful(self) -> bool:
        """Whether handlers had better not run."""
        return self.context == TENANT

    @property
    def text(self) -> str:
        """What happens then."""
        return (
            f"{self.path} is in {self.setting}, and {self.context!r} is not in WEBSOCKET_CONTEXTS. "
            "Calls of handlers, and async views, come when the middleware has ended: "
            f"{WITHOUT[self.context]}."
        )


def find_listed() -> tuple[Found, ...]:
    """The known middleware in ``MIDDLEWARE``."""
    return look_up(tuple(settings.MIDDLEWARE))


@cache
def look_up(paths: Sequence[str]) -> tuple[Found, ...]:
    found = []
    for path in paths:
        try:
            middleware = import_string(path)
        except Exception:  # Django tells by itself
            continue
        for one in getattr(middleware, "__mro__", (middleware,)):
            name = f"{getattr(one, '__module__', '')}.{getattr(one, '__qualname__', '')}"
            if name in KNOWN:
                found.append(Found(path, name, middleware))
                break
    return tuple(found)


def find_engines() -> tuple[str, ...]:
    """The database engines that know tenants, whatever middleware tells them of one."""
    engines = {database["ENGINE"] for database in connections.settings.values()}
    return tuple(engine for engine in sorted(engines) if knows_tenants(engine))


@cache
def knows_tenants(engine: str) -> bool:
    wrapper = load_backend(engine).DatabaseWrapper
    return hasattr(wrapper, "set_tenant") or hasattr(wrapper, "set_schema")


def find_missing() -> list[Missing]:
    """What needs a context that is not listed, nor any other function that says it covers that.

    Raises:
        ImproperlyConfigured: ``WEBSOCKET_CONTEXTS`` is wrong.
    """
    needed = [Missing("MIDDLEWARE", found.path, KNOWN[found.name]) for found in find_listed()]
    if not any(missing.is_harmful for missing in needed):
        needed += [Missing("DATABASES", engine, TENANT) for engine in find_engines()]
    if not needed:
        return []
    covered: set[str] = set()
    for context in load_contexts():
        covered.update((context.path, *getattr(context.make, "covers", ())))
    return [missing for missing in needed if missing.context not in covered]


def check_known_middleware() -> None:
    """Say once in the log what is missing.

    Raises:
        ImproperlyConfigured: a tenant's context is.
    """
    for missing in find_missing():
        if missing.is_harmful:
            raise ImproperlyConfigured(missing.text)
        tell(missing.text)


@cache
def tell(text: str) -> None:
    logger.warning("%s", text)
