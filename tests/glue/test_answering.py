"""Decorators between ours and the view get a response, though the view returns nothing."""

import logging
from contextlib import ContextDecorator
from functools import wraps

import pytest
from django.db import transaction
from django.http import Http404, HttpResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import cache_control, cache_page, never_cache
from django.views.decorators.clickjacking import xframe_options_deny
from django.views.decorators.csrf import csrf_exempt, csrf_protect, ensure_csrf_cookie
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import condition, conditional_page, etag, require_safe
from django.views.decorators.vary import vary_on_cookie, vary_on_headers
from rest_framework.decorators import api_view
from rest_framework.views import APIView

from dwebsocket import WebSocketHandler, accept_websocket, require_websocket
from dwebsocket.testing import WebSocketRefused

from .site import OURS


def echo(request, name="-"):
    for message in request.websocket:
        request.websocket.send(f"{name}: {message}")


async def echo_async(request, name="-"):
    async for message in request.websocket:
        await request.websocket.asend(f"{name}: {message}")


def own(view):
    """As people write theirs."""

    @wraps(view)
    def wrapper(request, *args, suffix="!", **kwargs):
        response = view(request, *args, **kwargs)
        response["X-Own"] = suffix
        wrapper.responses.append(response.status_code)
        return response

    wrapper.responses = []
    return wrapper


class Timed(ContextDecorator):
    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        return False


BELOW = {
    "never_cache": never_cache,
    "vary_on_cookie": vary_on_cookie,
    "vary_on_headers": vary_on_headers("Accept"),
    "cache_control": cache_control(private=True),
    "cache_page": cache_page(60),
    "conditional_page": conditional_page,
    "gzip_page": gzip_page,
    "xframe_options_deny": xframe_options_deny,
    "csrf_protect": csrf_protect,
    "ensure_csrf_cookie": ensure_csrf_cookie,
    "csrf_exempt": csrf_exempt,
    "require_safe": require_safe,
    "etag": etag(lambda request, *args, **kwargs: "tag"),
    "condition": condition(etag_func=lambda request, *args, **kwargs: "tag"),
    "several": lambda view: never_cache(vary_on_cookie(csrf_exempt(gzip_page(view)))),
}
#: No coroutine functions come out of these.
SYNCHRONOUS = {
    "own": own,
    "own, within others": lambda view: never_cache(own(Timed()(view))),
    "transaction": lambda view: never_cache(transaction.atomic(view)),
    "api_view": api_view(["GET"]),
    "api_view, outside": lambda view: never_cache(api_view(["GET"])(view)),
    "api_view, around others": lambda view: api_view(["GET"])(own(never_cache(view))),
}


def check(client, caplog, address="/", said="-: hello"):
    """It works, and ends as if nobody had decorated it."""
    with client.websocket(address) as websocket:
        websocket.send("hello")
        assert websocket.receive() == said
    assert websocket.close_code == 1000
    with client.websocket(address) as websocket:
        websocket.close(4000)
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    # ensure_csrf_cookie sets one: told, and no error.
    assert all("the cookie csrftoken was set" in line.getMessage() for line in lines), caplog.text


@pytest.mark.parametrize("decorator", [require_websocket, accept_websocket])
@pytest.mark.parametrize("name", [*BELOW, *SYNCHRONOUS])
def test_function(site, caplog, name, decorator):
    view = decorator((BELOW | SYNCHRONOUS)[name](echo))
    check(site.serve(view), caplog)
    check(site.serve(view, path("<name>/", view)), caplog, "/ada/", "ada: hello")


@pytest.mark.parametrize("name", BELOW)
def test_coroutine(serve_either, caplog, name):
    check(serve_either(require_websocket(BELOW[name](echo_async))), caplog)


@pytest.mark.parametrize("name", ["never_cache", "own", "api_view"])
def test_everywhere(serve_either, caplog, name):
    check(serve_either(require_websocket((BELOW | SYNCHRONOUS)[name](echo))), caplog)


@pytest.mark.parametrize("name", [*BELOW, *SYNCHRONOUS])
def test_marked_view(site, caplog, name):
    def view(request):
        return echo(request)

    decorated = (BELOW | SYNCHRONOUS)[name](view)
    decorated.accept_websocket = True
    check(site.serve(decorated, MIDDLEWARE=[OURS]), caplog)


def test_a_decorator_below_sees_what_it_always_sees(site):
    """The copy shares all but the view with what was decorated."""

    @own
    def view(request):
        return echo(request)

    with site.serve(require_websocket(view)).websocket("/") as websocket:
        websocket.send("hello")
    websocket.close()
    assert view.responses == [101]


class Echo(View):
    def get(self, request, name="-"):
        return echo(request, name)


class AsyncEcho(View):
    async def get(self, request, name="-"):
        return await echo_async(request, name)


class Calling(Echo):
    """Whose methods know their class."""

    def dispatch(self, request, *args, **kwargs):
        return super().dispatch(request, *args, **kwargs)

    def get(self, request, **kwargs):
        return super().get(request, **kwargs)


class OnlyDispatch(View):
    def dispatch(self, request, name="-"):
        return echo(request, name)


def derive(base, *decorations):
    view_class = type(base.__name__, (base,), {})
    for decorator, name in decorations:
        view_class = method_decorator(decorator, name=name)(view_class)
    return view_class


CLASSES = {
    "around the view": lambda c: require_websocket(never_cache(c.as_view())),
    "dispatch": lambda c: require_websocket(derive(c, (never_cache, "dispatch")).as_view()),
    "both on dispatch": lambda c: derive(
        c, (never_cache, "dispatch"), (require_websocket, "dispatch")
    ).as_view(),
    "a list": lambda c: derive(c, ([require_websocket, never_cache], "dispatch")).as_view(),
}
ON_GET = {
    "get": lambda c: require_websocket(derive(c, (never_cache, "get")).as_view()),
    "get and dispatch": lambda c: derive(
        c, (never_cache, "get"), (vary_on_cookie, "dispatch"), (require_websocket, "dispatch")
    ).as_view(),
    "both on get": lambda c: derive(c, (never_cache, "get"), (require_websocket, "get")).as_view(),
}


ON_DISPATCH = {"dispatch", "both on dispatch", "a list", "get and dispatch"}


@pytest.mark.parametrize("base", [Echo, Calling, OnlyDispatch, AsyncEcho])
@pytest.mark.parametrize("name", [*CLASSES, *ON_GET])
def test_class(site, caplog, name, base):
    if name in ON_GET and base is OnlyDispatch:
        pytest.skip("it has none")
    if base is AsyncEcho and name in ON_DISPATCH:
        pytest.skip("Django's decorators do not await dispatch(), for plain HTTP neither")
    view = (CLASSES | ON_GET)[name](base)
    check(site.serve(view), caplog)
    check(site.serve(view, path("<name>/", view)), caplog, "/ada/", "ada: hello")


@pytest.mark.parametrize("name", ["ours alone", "around the view"])
def test_a_class_that_is_not_decorated_inside_stays_as_it_is(site, caplog, name):
    class Own(Echo):
        def get(self, request, **kwargs):
            return super(self.__class__, self).get(request, **kwargs)  # as one should not

    decorated = {
        "ours alone": lambda: method_decorator(require_websocket, name="dispatch")(Own).as_view(),
        "around the view": lambda: require_websocket(never_cache(Own.as_view())),
    }
    check(site.serve(decorated[name]()), caplog)


class RestEcho(APIView):
    def get(self, request, name="-"):
        return echo(request, name)


def test_view_of_rest_framework(site, caplog):
    check(site.serve(require_websocket(RestEcho.as_view())), caplog)


@pytest.mark.parametrize("decorator", [never_cache, vary_on_cookie, api_view(["GET"])])
def test_above_ours(site, caplog, decorator):
    check(site.serve(decorator(require_websocket(echo))), caplog)


class Handler(WebSocketHandler):
    def on_message(self, message):
        self.send(f"-: {message}")


@pytest.mark.parametrize("name", ["never_cache", "vary_on_cookie", "etag", "gzip_page"])
def test_handler(site, caplog, name):
    check(site.serve(BELOW[name](Handler.as_view())), caplog)
    check(site.serve(derive(Handler, (BELOW[name], "dispatch")).as_view()), caplog)


@pytest.mark.parametrize("name", ["never_cache", "own", "api_view", "several"])
@pytest.mark.parametrize("error", [KeyError, AttributeError])
def test_errors_stay_errors(site, caplog, name, error):
    @require_websocket
    @(BELOW | SYNCHRONOUS)[name]
    def view(request):
        request.websocket.wait()
        raise error("a mistake")

    client = site.serve(view, raise_request_exception=False)
    with client.websocket("/") as websocket:
        websocket.send("hello")
        websocket.close()
    [record] = [record for record in caplog.records if record.name == "django.request"]
    assert record.exc_info[0] is error


def test_an_error_of_a_decorator_stays_one(site, caplog):
    def spoiling(view):
        @wraps(view)
        def wrapper(request):
            view(request)
            raise KeyError("a mistake")

        return wrapper

    client = site.serve(require_websocket(spoiling(echo)), raise_request_exception=False)
    with client.websocket("/") as websocket:
        websocket.send("hello")
        websocket.close()
    [record] = [record for record in caplog.records if record.name == "django.request"]
    assert record.exc_info[0] is KeyError


@pytest.mark.parametrize("name", ["never_cache", "several"])
def test_plain_http_is_as_it_was(site, name):
    def page(request):
        if request.GET:
            raise Http404
        return HttpResponse("page")

    decorated = BELOW[name](page)
    client = site.serve(accept_websocket(decorated))
    assert client.get("/").content == b"page"
    assert client.get("/?x").status_code == 404


def test_a_view_that_has_not_accepted_owes_a_response(site, caplog):
    """None is none: Django says so, as it does of any view."""

    @accept_websocket(auto_accept=False)
    @csrf_exempt
    def view(request):
        return None

    client = site.serve(view, raise_request_exception=False)
    with pytest.raises(WebSocketRefused) as caught:
        client.websocket("/")
    assert caught.value.status_code == 500
