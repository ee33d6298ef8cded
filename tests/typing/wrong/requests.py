"""Wrong code that is found where django-stubs tell what a request is; marked as in members.py."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin, UserPassesTestMixin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View

from dwebsocket import Group, WebSocketHandler, accept_websocket, require_websocket
from dwebsocket.http import HttpOrWebSocketRequest, WebSocketRequest


@require_websocket
def plain(request: HttpRequest) -> None:
    request.websocket.send("text")  # wrong: attr-defined reportAttributeAccessIssue


@require_websocket
def misspelt(request: WebSocketRequest) -> None:
    request.websocet.send("text")  # wrong: attr-defined reportAttributeAccessIssue


@require_websocket
def either(request: HttpOrWebSocketRequest) -> None:
    request.websocket.send("text")  # wrong: union-attr reportOptionalMemberAccess


@accept_websocket  # wrong: arg-type reportCallIssue reportArgumentType
def never_plain(request: WebSocketRequest) -> None: ...


@accept_websocket(auto_accept=False)  # wrong: arg-type reportCallIssue reportArgumentType
async def anever_plain(request: WebSocketRequest) -> None: ...


@require_websocket  # wrong: type-var reportCallIssue reportArgumentType
def no_request(room: str) -> None: ...


@accept_websocket  # wrong: arg-type reportCallIssue reportArgumentType
def text_first(room: str, request: HttpOrWebSocketRequest) -> None: ...


@require_websocket  # wrong: arg-type reportCallIssue reportArgumentType
def no_parameter() -> None: ...


@require_websocket  # wrong: arg-type reportCallIssue reportArgumentType
def answers_text(request: WebSocketRequest) -> str:
    return "text"


@accept_websocket  # wrong: arg-type reportCallIssue reportArgumentType
async def aanswers_text(request: HttpOrWebSocketRequest) -> str:
    return "text"


class MemberRequest(WebSocketRequest):
    user: User  # wrong: reportIncompatibleVariableOverride


class EitherMemberRequest(HttpOrWebSocketRequest):
    user: User  # wrong: reportIncompatibleVariableOverride


@login_required
@require_websocket
def member(request: MemberRequest, page: int) -> None:
    request.user.get_username()
    request.user.email.append("x")  # wrong: attr-defined reportAttributeAccessIssue


@login_required
@accept_websocket(subprotocols=["chat"])
def either_member(request: EitherMemberRequest) -> HttpResponse | None:
    if isinstance(request, WebSocketRequest):
        request.websocket.send(request.user.email)
        return None
    return HttpResponse(request.user.email)


def tell(request: HttpOrWebSocketRequest) -> None:
    say(request)  # wrong: arg-type reportArgumentType
    if isinstance(request, WebSocketRequest):
        say(request)


def say(request: WebSocketRequest) -> None: ...


@accept_websocket
async def aeither_member(request: EitherMemberRequest) -> HttpResponse | None:
    if request.websocket is None:
        return HttpResponse("text")
    await request.websocket.asend("text")
    return None


@require_websocket
@accept_websocket
def both(request: HttpOrWebSocketRequest) -> None: ...


@method_decorator(require_websocket, name="dispatch")
class Page(View):
    def get(self, request: WebSocketRequest, page: int) -> None:
        request.websocket.send(page)  # wrong: arg-type reportArgumentType


class Post(View):
    @method_decorator(accept_websocket(subprotocols=["chat"]))
    def get(self, request: HttpOrWebSocketRequest, page: int) -> HttpResponse | None:
        request.websocket.send("text")  # wrong: union-attr reportOptionalMemberAccess
        return None


class Handler(WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        self.request.get_host().append("x")  # wrong: attr-defined reportAttributeAccessIssue
        Group("lobby").send(message, exclude=self)  # wrong: arg-type reportArgumentType
        Group("lobby").add(self.request)  # wrong: arg-type reportArgumentType


class MembersOnly(LoginRequiredMixin, UserPassesTestMixin, WebSocketHandler):
    def test_func(self) -> bool:
        return self.request.user.is_active

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("text")

    def on_open(self) -> None:
        self.request.websocket.send("text")


class Unannotated(WebSocketHandler):
    def on_message(self, message):  # wrong: no-untyped-def
        message.encode()  # wrong: reportAttributeAccessIssue


def call(request: HttpRequest) -> None:
    member(request, 1).status_code
    member(request, "1")  # wrong: arg-type reportArgumentType
    member(request, 1).websocket  # wrong: attr-defined reportAttributeAccessIssue
    member(3, 1)  # wrong: arg-type reportArgumentType
    aeither_member(request).status_code  # wrong: attr-defined reportAttributeAccessIssue


urlpatterns = [
    path("plain/", plain),
    path("member/<int:page>/", member),
    path("aeither/", aeither_member),
    path("page/<int:page>/", Page.as_view()),
    path("handler/", Handler.as_view()),
    path("members/", MembersOnly.as_view()),
    path("decorated/", require_websocket(Handler.as_view())),
]
