"""The same echo under every placing of decorator, mark and middleware."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from dwebsocket import accept_websocket, require_websocket


def echo_all(request):
    for message in request.websocket:
        request.websocket.send(message)


@require_websocket
def decorated(request):
    echo_all(request)


@require_websocket(subprotocols=["chat"], auto_accept=True)
def with_arguments(request):
    echo_all(request)


@accept_websocket
def accepting(request):
    if not request.is_websocket():
        return HttpResponse(f"plain HTTP, websocket is {request.websocket}")
    return echo_all(request)


def marked(request):
    echo_all(request)


marked.accept_websocket = True


def unmarked(request):
    if getattr(request, "websocket", None) is None:
        return HttpResponse("plain HTTP")
    return echo_all(request)


@method_decorator(require_websocket, name="dispatch")
class DecoratedClass(View):
    def get(self, request):
        echo_all(request)


class DecoratedDispatch(View):
    @method_decorator(accept_websocket)
    def dispatch(self, request):
        return super().dispatch(request)

    def get(self, request):
        if not request.is_websocket():
            return HttpResponse("plain HTTP")
        return echo_all(request)


class DecoratedGet(View):
    @method_decorator(require_websocket)
    def get(self, request):
        echo_all(request)


@csrf_exempt
@require_websocket
def exempt_outside(request):
    echo_all(request)


@require_websocket
@csrf_exempt
def exempt_inside(request):
    echo_all(request)


@login_required(login_url="/accounts/login/")
@require_websocket
def login(request):
    request.websocket.send(request.user.get_username())
    echo_all(request)


@require_websocket
@login_required(login_url="/accounts/login/")
def login_below(request):
    raise AssertionError("nobody is logged in")


@require_websocket
@accept_websocket
def twice(request):
    echo_all(request)
