"""The page "WebSockets" in Django's admin: who is connected, in all processes of the site."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect

from dwebsocket.connections.asking import close_found, list_found
from dwebsocket.connections.facts import Connection as Found
from dwebsocket.connections.filters import Filter
from dwebsocket.exceptions import GroupUnavailable, InvalidGroupBackend
from dwebsocket.groups.current import get_backend
from dwebsocket.models import Connection
from dwebsocket.protocol.frames import CloseCode, check_close

__all__ = ["ConnectionAdmin"]

#: Rows of a page; beyond, filters help more than a longer one.
MAX_ROWS = 500

FILTERS = ("path", "user", "group")
CHOICE = "id"

TEMPLATES = "admin/dwebsocket/connection/"


class ConnectionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Shows the WebSockets that are open, anew every two seconds, and closes those that are chosen.

    To see them takes ``dwebsocket.view_connection``, to close them
    ``dwebsocket.close_connection`` as well.
    """

    # Who may what

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Clients do that."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """There is nothing to change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They are closed, which is another permission."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this user may see who is connected."""
        user: Any = request.user
        return bool(user.has_perm("dwebsocket.view_connection"))

    def has_close_permission(self, request: HttpRequest) -> bool:
        """Whether this user may close what is shown."""
        user: Any = request.user
        return bool(user.has_perm("dwebsocket.close_connection"))

    # The pages

    def get_urls(self) -> list[URLPattern]:
        """The list, what of it is fetched anew, and closing."""
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.changelist_view), name="dwebsocket_connection_changelist"),
            path("rows/", wrap(self.rows_view), name="dwebsocket_connection_rows"),
            path("close/", wrap(self.close_view), name="dwebsocket_connection_close"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The page."""
        self._check(request)
        context = {
            **self._find(request),
            "query": request.GET.urlencode(),
            "filters": [(name, request.GET.get(name, "")) for name in FILTERS],
        }
        return self._render(request, "change_list.html", {**context, **(extra_context or {})})

    def rows_view(self, request: HttpRequest) -> HttpResponse:
        """What changes of it."""
        self._check(request)
        return self._render(request, "rows.html", self._find(request))

    @method_decorator(csrf_protect)
    def close_view(self, request: HttpRequest) -> HttpResponse:
        """Close what was chosen, once that is confirmed."""
        self._check(request)
        if not self.has_close_permission(request):
            raise PermissionDenied
        back = self._back_to_list(request)
        ids = request.POST.getlist(CHOICE)
        if request.method != "POST" or not ids:
            return back
        wanted = Filter(ids=ids)
        try:
            if "confirmed" in request.POST:
                self._close(request, wanted)
                return back
            found = list_found(wanted)
        except (GroupUnavailable, ValueError, TypeError) as error:
            messages.error(request, str(error))
            return back
        context = {"found": found, "query": request.POST.get("query", ""), "title": "Are you sure?"}
        return self._render(request, "close.html", {**context, "code": int(CloseCode.GOING_AWAY)})

    # Their parts

    def _check(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _render(self, request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
        common = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "WebSockets that are open",
            "may_close": self.has_close_permission(request),
        }
        request.current_app = self.admin_site.name
        response = TemplateResponse(request, f"{TEMPLATES}{name}", {**common, **context})
        response["Cache-Control"] = "no-store"
        return response

    def _find(self, request: HttpRequest) -> dict[str, Any]:
        path, user, group = (request.GET.get(name) or None for name in FILTERS)
        wanted = Filter(path=path, user=user, group=group)
        try:
            found = list_found(wanted)
            is_alone = not get_backend().shared
        except (GroupUnavailable, InvalidGroupBackend) as error:
            return {"found": [], "error": str(error)}
        rest = len(found) - MAX_ROWS
        return {
            "found": found[:MAX_ROWS],
            "count": len(found),
            "rest": max(0, rest),
            "silent": found.silent,
            "is_alone": is_alone,
        }

    def _close(self, request: HttpRequest, wanted: Filter) -> None:
        code, reason = check_close(
            int(request.POST.get("code") or CloseCode.GOING_AWAY), request.POST.get("reason", "")
        )
        closed = close_found(wanted, code, reason)
        for one in closed:
            self.log_change(request, build_entry(one), f"Closed with {code} {reason}".strip())
        for process in closed.silent:
            messages.warning(request, f"No answer from {process}.")
        messages.success(request, f"{len(closed)} closed.")

    def _back_to_list(self, request: HttpRequest) -> HttpResponse:
        url = reverse("admin:dwebsocket_connection_changelist", current_app=self.admin_site.name)
        query = request.POST.get("query", "")
        return HttpResponseRedirect(f"{url}?{query}" if query else url)


def build_entry(one: Found) -> Connection:
    """What the log of the admin says it was."""
    entry = Connection(id=one.id)
    entry._shown = f"{one.path or one.id}, {one.user or one.address or 'nobody'}"
    return entry


if apps.is_installed("django.contrib.admin"):
    admin.site.register(Connection, ConnectionAdmin)
