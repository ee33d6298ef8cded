"""Middleware of others that keeps in threads what handlers miss: named, or they are refused."""

from types import SimpleNamespace

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.test import override_settings

from dwebsocket import WebSocketHandler, require_websocket
from dwebsocket.checks import check_contexts
from dwebsocket.contexts import REQUEST_KEEPERS, TENANT_KEEPERS, tenant
from dwebsocket.running.call_contexts import import_contexts
from dwebsocket.running.known_middleware import KNOWN, TENANT, knows_tenants, tell
from dwebsocket.testing import WebSocketRefused

from .site import MIDDLEWARE

CRUM = "crum.CurrentRequestUserMiddleware"
REQUEST_ID = "log_request_id.middleware.RequestIDMiddleware"
TENANTS = f"{__name__}.OwnTenantMiddleware"


class TenantMainMiddleware:
    """As django-tenants', whose module cannot be imported without PostgreSQL."""

    __module__ = "django_tenants.middleware.main"
    __qualname__ = "TenantMainMiddleware"

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)


class OwnTenantMiddleware(TenantMainMiddleware):
    """As a project derives it."""


def own_tenant(request):
    raise NotImplementedError


own_tenant.covers = [TENANT]


@pytest.fixture(autouse=True)
def nothing_told_yet():
    tell.cache_clear()


class Echo(WebSocketHandler):
    def on_message(self, message):
        self.send(message)


class AsyncEcho(WebSocketHandler):
    async def on_message(self, message):
        self.send(message)


@require_websocket
def plain_view(request):
    request.websocket.send("hello")


@require_websocket
async def async_view(request):
    await request.websocket.asend("hello")


def check(middleware, *contexts):
    with override_settings(MIDDLEWARE=[middleware], WEBSOCKET_CONTEXTS=contexts):
        return check_contexts()


def test_tenants_without_their_context_are_an_error():
    [error] = check(TENANTS)
    assert (error.id, error.is_serious()) == ("dwebsocket.E020", True)
    assert error.msg == (
        f"{TENANTS} is in MIDDLEWARE, and 'dwebsocket.contexts.tenant' is not in "
        "WEBSOCKET_CONTEXTS. Calls of handlers, and async views, come when the middleware has "
        "ended: they would read and write what belongs to no tenant, or to all, and are refused "
        "with 500."
    )
    assert "Add 'dwebsocket.contexts.tenant'" in error.hint
    assert check(TENANTS, "dwebsocket.contexts.tenant") == []
    assert check(TENANTS, f"{__name__}.own_tenant") == []
    assert check(TENANTS, "dwebsocket.contexts.current_request") == [error]


@pytest.mark.parametrize(
    ("path", "context"), [(CRUM, "current_request"), (REQUEST_ID, "request_id")]
)
def test_others_are_a_warning(path, context):
    [warning] = check(path)
    assert (warning.id, warning.is_serious()) == ("dwebsocket.W003", False)
    assert warning.msg.startswith(
        f"{path} is in MIDDLEWARE, and 'dwebsocket.contexts.{context}' is not in WEBSOCKET_CONTEXTS"
    )
    assert check(path, f"dwebsocket.contexts.{context}") == []


def test_what_is_not_known_or_not_there_is_nothing():
    assert check(MIDDLEWARE[0]) == []
    assert check("no_such_module.Middleware") == []
    assert check(CRUM, "no_such_module.context") == []  # of which another check tells


@pytest.fixture(params=["set_tenant", "set_schema"])
def chosen(request, monkeypatch):
    """SQLite has learnt what django-tenants' engine, or another one, can do: what is chosen."""
    name = "tenant" if request.param == "set_tenant" else "schema_name"

    def choose(self, value):
        setattr(self, name, value)

    def choose_public(self):
        setattr(self, name, None)

    monkeypatch.setattr(DatabaseWrapper, request.param, choose, raising=False)
    monkeypatch.setattr(DatabaseWrapper, "set_schema_to_public", choose_public, raising=False)
    monkeypatch.setattr(DatabaseWrapper, name, None, raising=False)
    knows_tenants.cache_clear()
    yield lambda: getattr(connection, name)
    connection.close()
    del connections["default"]  # with what the context has set on it
    knows_tenants.cache_clear()


def test_a_database_that_knows_tenants_is_enough(chosen):
    """Whatever middleware chooses one."""
    [error] = check(MIDDLEWARE[0])
    assert error.id == "dwebsocket.E020"
    assert error.msg.startswith("django.db.backends.sqlite3 is in DATABASES, and ")
    assert len(check(TENANTS)) == 1


def test_a_tenant_is_chosen_and_given_back(chosen):
    acme, globex = (SimpleNamespace(schema_name=name) for name in ("acme", "globex"))
    assert chosen() is None
    with tenant(SimpleNamespace(tenant=acme)):
        before = chosen()
        assert before in (acme, "acme")
        with tenant(SimpleNamespace(tenant=globex)):
            assert chosen() in (globex, "globex")
        assert chosen() == before
    assert chosen() is None


def test_without_one_nothing_runs_in_public(chosen):
    with pytest.raises(ImproperlyConfigured, match=r"finds no request\.tenant"):
        tenant(SimpleNamespace())
    acme = SimpleNamespace(schema_name="acme")
    with (
        override_settings(SHOW_PUBLIC_IF_NO_TENANT_FOUND=True),
        tenant(SimpleNamespace(tenant=acme)),
        tenant(SimpleNamespace()),
    ):
        assert chosen() is None


@pytest.mark.parametrize("view", [Echo.as_view(), AsyncEcho.as_view(), async_view])
def test_what_would_run_without_its_tenant_is_refused(serve_beside, caplog, view):
    client = serve_beside(view, MIDDLEWARE=[*MIDDLEWARE, TENANTS])
    for _ in range(2):
        with pytest.raises(WebSocketRefused) as caught:
            client.websocket("/")
        assert caught.value.status_code == 500
    records = [record for record in caplog.records if record.exc_info]
    assert len(records) == 2
    for record in records:
        assert record.exc_info[0] is ImproperlyConfigured
        assert str(record.exc_info[1]) == check(TENANTS)[0].msg


def test_plain_views_are_in_their_middleware(site):
    with site.serve(plain_view, MIDDLEWARE=[*MIDDLEWARE, TENANTS]).websocket("/") as session:
        assert session.receive() == "hello"


@pytest.mark.parametrize("view", [Echo.as_view(), AsyncEcho.as_view()])
def test_others_are_told_once(serve_beside, caplog, view):
    client = serve_beside(view, MIDDLEWARE=[*MIDDLEWARE, CRUM, REQUEST_ID])
    for _ in range(2):
        with client.websocket("/") as session:
            session.send("hello")
            assert session.receive() == "hello"
    records = [record for record in caplog.records if "WEBSOCKET_CONTEXTS" in record.message]
    assert [(record.name, record.levelname) for record in records] == [
        ("dwebsocket.handshake", "WARNING")
    ] * 2
    assert [record.message.partition(" ")[0] for record in records] == [CRUM, REQUEST_ID]


def test_each_known_one_has_what_it_wants():
    names = {name for name, context in KNOWN.items() if context.endswith("current_request")}
    assert set(REQUEST_KEEPERS) == names
    assert set(TENANT_KEEPERS) <= {name for name, context in KNOWN.items() if context == TENANT}
    import_contexts(tuple(sorted(set(KNOWN.values()))))
