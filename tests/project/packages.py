"""What known packages know of a request that has ended: for a server that has all of them."""

from importlib.util import find_spec
from uuid import uuid4

from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.urls import path
from django.utils import timezone
from django_multitenant import views

from dwebsocket import WebSocketHandler, require_websocket

views.get_tenant = lambda request: request.user

from django_multitenant.middlewares import MultitenantMiddleware  # noqa: E402  # takes it from there


class OwnMultitenantMiddleware(MultitenantMiddleware):
    """As a project derives it."""


def find_facts():
    """What each of them says: the name of a user, for most."""
    return {name: str(ask() or "") for name, ask in FACTS.items()}


def ask_auditlog():
    from auditlog.models import LogEntry
    from auditlog.registry import auditlog

    if not auditlog.contains(Session):
        auditlog.register(Session)
    key = uuid4().hex
    Session.objects.create(pk=key, expire_date=timezone.now())
    entry = LogEntry.objects.get(object_pk=key)
    return f"{entry.actor or ''} {entry.remote_addr or ''}".strip()


def ask_crum():
    from crum import get_current_user

    return get_current_user()


def ask_currentuser():
    from django_currentuser.middleware import get_current_user

    return get_current_user()


def ask_easyaudit():
    from easyaudit.middleware.easyaudit import get_current_user

    return get_current_user()


def ask_global_request():
    from django_middleware_global_request.middleware import get_request

    return getattr(get_request(), "user", "")


def ask_log_request_id():
    from log_request_id import local

    return getattr(local, "request_id", "")


def ask_multitenant():
    from django_multitenant.utils import get_current_tenant

    return get_current_tenant()


def ask_pghistory():
    from pghistory.runtime import _tracker

    return _tracker.value.metadata["url"] if hasattr(_tracker, "value") else ""


def ask_simple_history():
    from simple_history.models import HistoricalRecords

    return getattr(getattr(HistoricalRecords.context, "request", None), "user", "")


def ask_threadlocals():
    from threadlocals.threadlocals import get_current_user

    return get_current_user()


FACTS = {
    "auditlog": ask_auditlog,
    "crum": ask_crum,
    "easyaudit": ask_easyaudit,
    "global request": ask_global_request,
    "log_request_id": ask_log_request_id,
    "multitenant": ask_multitenant,
    "pghistory": ask_pghistory,
    "simple_history": ask_simple_history,
    "threadlocals": ask_threadlocals,
}
if find_spec("django_currentuser"):
    FACTS["currentuser"] = ask_currentuser


class Handler(WebSocketHandler):
    def on_message(self, message):
        self.send_json(find_facts())


class Forgetting(Handler):
    keep_request = False


class AsyncHandler(WebSocketHandler):
    async def on_message(self, message):
        await self.send_json(await sync_to_async(find_facts)())


@require_websocket
async def async_view(request):
    async for _ in request.websocket:
        request.websocket.send_json(await sync_to_async(find_facts)())


def plain(request):
    return HttpResponse(find_facts()["log_request_id"])


urlpatterns = [
    path("packages/handler/", Handler.as_view()),
    path("packages/forgetting/", Forgetting.as_view()),
    path("packages/async-handler/", AsyncHandler.as_view()),
    path("packages/async-view/", async_view),
    path("packages/plain/", plain),
]
