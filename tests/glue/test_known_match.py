"""The door looks up the view of a handshake; Django takes that, or looks again."""

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.urls import URLResolver, include, path, re_path, register_converter
from django.utils.functional import lazystr
from django.utils.translation import gettext_lazy

from dwebsocket import WebSocketHandler, require_websocket
from dwebsocket.backends.default.servers import WsgirefTakeover
from dwebsocket.upgrade.known_match import looks_at_path_alone

HERE = __name__


class Digits:
    """A converter of the project's own: it might ask the database."""

    regex = "[0-9]+"

    def to_python(self, value):
        return int(value)

    def to_url(self, value):
        return str(value)


register_converter(Digits, "digits-of-known-match")


@require_websocket
def view(request, **kwargs):
    request.websocket.send(f"{request.resolver_match.view_name} {kwargs}")


class Handler(WebSocketHandler):
    def on_open(self):
        self.send(f"{self.request.resolver_match.view_name} {self.kwargs}")


def plain(request):
    return HttpResponse("plain")


other_urls = [path("a/<int:number>/", view, name="other")]
patterns = [
    path("plain/", plain),
    path("a/<int:number>/", view, name="view"),
    path("b/<int:number>/", Handler.as_view(), name="handler"),
]


def to_other_urlconf(get_response):
    def middleware(request):
        request.urlconf = tuple(other_urls)
        return get_response(request)

    return middleware


def to_other_path(get_response):
    def middleware(request):
        request.path_info = "/a/2/"
        return get_response(request)

    return middleware


@pytest.fixture
def lets_go(monkeypatch):
    """The test's server has few threads, lets its connections go, and resolves as Django does."""
    for name in ("lets_go", "few_threads"):
        monkeypatch.setattr(WsgirefTakeover, name, property(lambda takeover: True))
    monkeypatch.delattr("dwebsocket.testing.server.TestApplication.resolve_request")


@pytest.fixture
def looks(monkeypatch):
    """The paths that are looked up."""
    seen, resolve = [], URLResolver.resolve

    def noting(self, path):
        seen.append(path)
        return resolve(self, path)

    monkeypatch.setattr(URLResolver, "resolve", noting)
    return seen


def ask(site, address):
    client = site.open(address)
    text = client.read_text()
    client.send_close()
    client.read_to_eof()
    return text


@pytest.mark.parametrize(
    ("address", "text"), [("/a/1/", "view {'number': 1}"), ("/b/1/", "handler {'number': 1}")]
)
def test_a_view_is_looked_up_once(site, lets_go, looks, address, text):
    site.serve(plain, *patterns)
    for _ in range(2):  # from the first one on
        looks.clear()
        assert ask(site, address) == text
        assert looks == [address]


@pytest.mark.parametrize(
    ("middleware", "text"),
    [("to_other_urlconf", "other {'number': 1}"), ("to_other_path", "view {'number': 2}")],
)
def test_what_middleware_changes_is_looked_up_again(site, lets_go, middleware, text):
    site.serve(plain, *patterns, MIDDLEWARE=[f"{HERE}.{middleware}"])
    assert ask(site, "/a/1/") == text


def test_a_converter_of_the_projects_own_is_asked_behind_the_middleware(site, lets_go, looks):
    site.serve(plain, path("own/<digits-of-known-match:number>/", view, name="own"))
    assert ask(site, "/own/7/") == "own {'number': 7}"
    assert looks == ["/own/7/"] * 2


def test_who_resolves_in_his_own_way_is_asked(site, lets_go, monkeypatch):
    asked, resolve = [], WSGIHandler.resolve_request

    def noting(self, request):
        asked.append(request.path_info)
        return resolve(self, request)

    monkeypatch.setattr(WSGIHandler, "resolve_request", noting)
    site.serve(plain, *patterns)
    assert ask(site, "/a/1/") == "view {'number': 1}"
    assert asked == ["/a/1/"]


def resolver(*urls):
    from django.urls.resolvers import RegexPattern

    return URLResolver(RegexPattern("^/"), list(urls))


def test_usual_patterns_look_at_the_path_alone():
    nested = path("nested/<slug:name>/", include([path("<uuid:id>/", view), *patterns]))
    assert looks_at_path_alone(resolver(nested, re_path("^re/$", view)))


@pytest.mark.parametrize(
    "url",
    [
        path("<digits-of-known-match:number>/", view),
        path(gettext_lazy("chat/"), view),
        re_path(lazystr("^chat/$"), view),
        path("in/", include([path(gettext_lazy("chat/"), view)])),
    ],
)
def test_others_do_not(url):
    assert not looks_at_path_alone(resolver(path("chat/", view), url))


def test_a_urlconf_that_cannot_be_imported_is_told_by_django():
    from django.urls.resolvers import RegexPattern

    assert not looks_at_path_alone(URLResolver(RegexPattern("^/"), "there.is.none"))
