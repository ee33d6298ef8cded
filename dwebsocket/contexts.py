"""Ready functions for ``WEBSOCKET_CONTEXTS``: what known middleware keeps while a request runs, for
the calls that come when it has ended.

Each does what is needed for the middleware that ``MIDDLEWARE`` lists, derived classes included.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from dwebsocket.running.known_middleware import find_engines, find_listed

__all__ = ["current_request", "request_id", "tenant"]

Manager = AbstractContextManager[Any]

NO_TENANT = (
    "dwebsocket.contexts.tenant finds no request.tenant. Have your middleware set it, or write a "
    "context of your own that has covers = ['dwebsocket.contexts.tenant']."
)

#: What an attribute was that is not there.
ABSENT: Any = object()


def tenant(request: Any) -> Manager:
    """The tenant of ``request.tenant``: its schema on each database connection that has one
    (django-tenants and its like), and its rows (django-multitenant).

    Raises:
        ImproperlyConfigured: there is none, and the public schema is not what is wanted then.
    """
    owner, engines = getattr(request, "tenant", None), find_engines()
    public_will_do = getattr(settings, "SHOW_PUBLIC_IF_NO_TENANT_FOUND", False)  # django-tenants'
    if engines and owner is None and not public_will_do:
        raise ImproperlyConfigured(NO_TENANT)
    return in_tenant(request, owner, engines)


@contextmanager
def in_tenant(request: Any, owner: Any, engines: Container[str]) -> Iterator[None]:
    with ExitStack() as stack:
        for alias, database in connections.settings.items():
            if database["ENGINE"] in engines:
                stack.enter_context(in_schema(connections[alias], owner))
        stack.enter_context(keepers(TENANT_KEEPERS, request))
        yield


tenant.keeps = ("tenant",)  # type: ignore[attr-defined]


@contextmanager
def in_schema(connection: Any, owner: Any) -> Iterator[None]:
    if hasattr(connection, "set_tenant"):
        choose, before = connection.set_tenant, connection.tenant
    else:
        choose, before = connection.set_schema, connection.schema_name
        owner = None if owner is None else owner.schema_name
    choose_public = connection.set_schema_to_public
    choose_public() if owner is None else choose(owner)
    try:
        yield
    finally:
        choose_public() if before is None else choose(before)


def current_request(request: Any) -> Manager:
    """The request and its user, which middleware hands on to models and audit trails."""
    return keepers(REQUEST_KEEPERS, request)


current_request.keeps = ("META", "headers")  # type: ignore[attr-defined]


def request_id(request: Any) -> Everywhere:
    """The request's id, for log lines (django-log-request-id)."""
    from log_request_id import local

    return Everywhere(changed(local, "request_id", getattr(request, "id", ABSENT)))


request_id.keeps = ("id",)  # type: ignore[attr-defined]


class Everywhere:
    """A context manager for coroutines, too: what it changes belongs to whoever runs."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def __enter__(self) -> Any:
        return self._manager.__enter__()

    def __exit__(self, *exc: Any) -> bool | None:
        return self._manager.__exit__(*exc)

    async def __aenter__(self) -> Any:
        return self.__enter__()

    async def __aexit__(self, *exc: Any) -> bool | None:
        return self.__exit__(*exc)


# What the packages want


@contextmanager
def changed(holder: Any, name: str, value: Any) -> Iterator[None]:
    """With an attribute that has another value, and has its own again afterwards."""
    before = getattr(holder, name, ABSENT)
    set_or_delete(holder, name, value)
    try:
        yield
    finally:
        set_or_delete(holder, name, before)


def set_or_delete(holder: Any, name: str, value: Any) -> None:
    if value is not ABSENT:
        setattr(holder, name, value)
    elif hasattr(holder, name):
        delattr(holder, name)


@contextmanager
def multitenant(middleware: Any, request: Any) -> Iterator[None]:
    from django_multitenant import middlewares, utils

    is_known = request.user and not request.user.is_anonymous
    owner = middlewares.get_tenant(request) if is_known else None
    before = utils.get_current_tenant()
    utils.set_current_tenant(owner)
    try:
        yield
    finally:
        utils.set_current_tenant(before)


@contextmanager
def crum(middleware: Any, request: Any) -> Iterator[None]:
    from crum import get_current_request, set_current_request

    before = get_current_request()
    set_current_request(request)
    try:
        yield
    finally:
        set_current_request(before)


def currentuser(middleware: Any, request: Any) -> Manager:
    from django_currentuser.middleware import SetCurrentUser

    found: Manager = SetCurrentUser(request)
    return found


def global_request(middleware: Any, request: Any) -> Manager:
    from django_middleware_global_request.middleware import GlobalRequest

    found: Manager = GlobalRequest(request=request)
    return found


def threadlocals(middleware: Any, request: Any) -> Manager:
    from threadlocals import threadlocals

    return changed(threadlocals._threadlocals, "request", request)


def simple_history(middleware: Any, request: Any) -> Manager:
    from simple_history.models import HistoricalRecords

    return changed(HistoricalRecords.context, "request", request)


def easyaudit(middleware: Any, request: Any) -> Manager:
    from easyaudit.middleware import easyaudit

    return changed(easyaudit._thread_locals, "request", request)


def auditlog(middleware: Any, request: Any) -> Manager:
    from auditlog.context import set_extra_data

    found: Manager = set_extra_data(middleware(None).get_extra_data(request))
    return found


def pghistory(middleware: Any, request: Any) -> Manager:
    import pghistory

    found: Manager = pghistory.context(**middleware(None).get_context(request))
    return found


Maker = Callable[[Any, Any], Manager]

#: The known middleware's name: what gets it, or what is derived from it, and the request.
TENANT_KEEPERS: dict[str, Maker] = {
    "django_multitenant.middlewares.MultitenantMiddleware": multitenant,
}
REQUEST_KEEPERS: dict[str, Maker] = {
    "auditlog.middleware.AuditlogMiddleware": auditlog,
    "crum.CurrentRequestUserMiddleware": crum,
    "django_currentuser.middleware.ThreadLocalUserMiddleware": currentuser,
    "django_middleware_global_request.middleware.GlobalRequestMiddleware": global_request,
    "easyaudit.middleware.easyaudit.EasyAuditMiddleware": easyaudit,
    "pghistory.middleware.HistoryMiddleware": pghistory,
    "simple_history.middleware.HistoryRequestMiddleware": simple_history,
    "threadlocals.middleware.ThreadLocalMiddleware": threadlocals,
}


@contextmanager
def keepers(makers: dict[str, Maker], request: Any) -> Iterator[None]:
    """Within what the listed ones of these want."""
    with ExitStack() as stack:
        for found in find_listed():
            if found.name in makers:
                stack.enter_context(makers[found.name](found.middleware, request))
        yield
