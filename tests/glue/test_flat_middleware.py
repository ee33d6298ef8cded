"""Middleware does the same when it is called by its methods."""

import pytest
from asgiref.sync import markcoroutinefunction
from django.core.exceptions import PermissionDenied
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from django.urls import path
from django.utils.deprecation import MiddlewareMixin

from dwebsocket.upgrade.flat_middleware import flatten

from .site import MIDDLEWARE

HERE = __name__
seen = []


class Mixed(MiddlewareMixin):
    def process_request(self, request):
        seen.append("in")

    def process_response(self, request, response):
        seen.append(response.status_code)
        return response


class Own:
    """Of no class of Django's; refuses what it is told to."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if "refuse" in request.GET:
            raise PermissionDenied
        return self.get_response(request)


class Hiding:
    """Keeps the next one where nobody looks for it."""

    def __init__(self, get_response):
        self._next = get_response

    def __call__(self, request):
        return self._next(request)


class Coroutine:
    sync_capable, async_capable = False, True

    def __init__(self, get_response):
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request):
        return await self.get_response(request)


def function(get_response):
    def middleware(request):
        seen.append("function")
        return get_response(request)

    return middleware


def view(request):
    seen.append("view")
    if "fail" in request.GET:
        raise PermissionDenied
    return HttpResponse("done")


urlpatterns = [path("", view)]

MIXED, OWN, HIDING = f"{HERE}.Mixed", f"{HERE}.Own", f"{HERE}.Hiding"
CHAINS = {
    "startproject": MIDDLEWARE,
    "own": [MIXED, OWN, MIXED],
    "function": [MIXED, f"{HERE}.function", OWN, MIXED],
    "hiding": [MIXED, HIDING, OWN, MIXED],
    "async": [MIXED, f"{HERE}.Coroutine", OWN, MIXED],
    "nothing": [],
}


def ask(handler, address):
    seen.clear()
    response = handler.get_response(handler.request_class(RequestFactory().get(address).environ))
    return response.status_code, response.content, dict(response.headers), list(seen)


@pytest.mark.parametrize("address", ["/", "/?refuse=1", "/?fail=1", "/nowhere/"])
@pytest.mark.parametrize("chain", CHAINS)
def test_the_same_happens_in_the_same_order(chain, address):
    with override_settings(ROOT_URLCONF=HERE, MIDDLEWARE=CHAINS[chain]):
        handler = WSGIHandler()
        before = ask(handler, address)
        flatten(handler)
        assert ask(handler, address) == before


def test_methods_are_called_instead_of_objects():
    with override_settings(ROOT_URLCONF=HERE, MIDDLEWARE=[OWN] * 3):
        handler = WSGIHandler()
        flatten(handler)
    chain = handler._middleware_chain
    for _ in range(3):
        assert chain.__wrapped__.__func__ is Own.__call__
        chain = chain.__wrapped__.__self__.get_response
    assert chain.__wrapped__ == handler._get_response
