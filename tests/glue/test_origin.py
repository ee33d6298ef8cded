"""Whose pages may open a WebSocket."""

import pytest
from django.core.exceptions import DisallowedHost
from django.test import RequestFactory, override_settings

from dwebsocket import accept_websocket
from dwebsocket.exceptions import InvalidOrigin
from dwebsocket.testing import WebSocketRefused
from dwebsocket.upgrade.origin import check_origin

PROXY = {"USE_X_FORWARDED_HOST": True, "SECURE_PROXY_SSL_HEADER": ("HTTP_X_SCHEME", "https")}
BEHIND_PROXY = {"HTTP_X_FORWARDED_HOST": "site.test", "HTTP_X_SCHEME": "https"}


def is_allowed(origin, *, host="testserver", secure=False, settings=None, **meta):
    if origin is not None:
        meta["HTTP_ORIGIN"] = origin
    request = RequestFactory().get("/", secure=secure, HTTP_HOST=host, **meta)
    with override_settings(**(settings or {})):
        try:
            check_origin(request)
        except InvalidOrigin:
            return False
    return True


@pytest.mark.parametrize(
    ("origin", "host", "secure", "allowed"),
    [
        (None, "testserver", False, True),  # no browser
        ("http://testserver", "testserver", False, True),
        ("https://testserver", "testserver", True, True),
        ("http://testserver:8000", "testserver:8000", False, True),
        ("http://testserver:8000", "testserver:8001", False, False),
        ("http://testserver:8000", "testserver", False, False),
        ("http://testserver", "testserver:8000", False, False),
        ("https://testserver", "testserver", False, False),
        ("http://testserver", "testserver", True, False),
        ("http://evil.test", "testserver", False, False),
        ("http://testserver.evil.test", "testserver", False, False),
        ("http://sub.testserver", "testserver", False, False),
        ("null", "testserver", False, False),
        ("", "testserver", False, False),
        ("http://[", "testserver", False, False),
        ("testserver", "testserver", False, False),
        ("ws://testserver", "testserver", False, True),  # as ws4py writes it
        ("wss://testserver", "testserver", True, True),
        ("ws://testserver:8000", "testserver:8000", False, True),
        ("ws://testserver", "testserver", True, False),
        ("wss://testserver", "testserver", False, False),
        ("ws://evil.test", "testserver", False, False),
        ("wss", "testserver", True, False),
    ],
)
def test_same_origin(origin, host, secure, allowed):
    assert is_allowed(origin, host=host, secure=secure) == allowed


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        (PROXY, True),
        ({"USE_X_FORWARDED_HOST": True}, False),  # then this site is http://site.test
        ({"SECURE_PROXY_SSL_HEADER": PROXY["SECURE_PROXY_SSL_HEADER"]}, False),
        ({}, False),
    ],
)
def test_behind_a_proxy_with_tls(settings, allowed):
    found = is_allowed("https://site.test", host="inner.test", settings=settings, **BEHIND_PROXY)
    assert found == allowed


def test_tls_that_nobody_tells_of():
    """stunnel and its like: the request is plain, its page is not."""
    origin = "https://testserver"
    assert not is_allowed(origin)
    assert is_allowed(origin, settings={"CSRF_TRUSTED_ORIGINS": [origin]})


@pytest.mark.parametrize(
    ("pattern", "origin", "allowed"),
    [
        ("https://other.test", "https://other.test", True),
        ("https://other.test/", "https://other.test", True),
        ("https://other.test", "http://other.test", False),
        ("https://other.test", "https://other.test:444", False),
        ("https://other.test", "https://a.other.test", False),
        ("https://other.test:444", "https://other.test:444", True),
        ("https://*.other.test", "https://a.other.test", True),
        ("https://*.other.test", "https://a.b.other.test", True),
        ("https://*.other.test", "http://a.other.test", False),
        ("https://*.other.test", "https://another.test", False),
        ("https://*.other.test", "https://a.other.test.evil.test", False),
        ("https://*.other.test", "https://a.other.test:444", False),
        ("https://*.other.test:444", "https://a.other.test:444", True),
        ("https://*.other.test", "https://[", False),
        ("https://*.other.test", "null", False),
        ("https://other.test", "wss://other.test", True),
        ("https://*.other.test", "wss://a.other.test", True),
        ("http://other.test", "wss://other.test", False),
        ("wss://other.test", "https://other.test", True),
        ("wss://*.other.test/", "https://a.other.test", True),
        ("ws://other.test", "https://other.test", False),
        ("*", "https://anything.test", True),
        ("*", "null", True),
    ],
)
def test_allowed_origins(pattern, origin, allowed):
    assert is_allowed(origin, settings={"WEBSOCKET_ALLOWED_ORIGINS": [pattern]}) == allowed


@pytest.mark.parametrize("origin", ["https://trusted.test", "https://a.wild.test"])
def test_trusted_origins_of_csrf_count_unless_the_list_is_our_own(origin):
    trusted = {"CSRF_TRUSTED_ORIGINS": ["https://trusted.test", "https://*.wild.test"]}
    assert is_allowed(origin, settings=trusted)
    own = {"WEBSOCKET_ALLOWED_ORIGINS": ["https://other.test"]}
    assert not is_allowed(origin, settings={**trusted, **own})


def test_the_sites_own_pages_need_no_place_in_the_list():
    assert is_allowed("http://testserver", settings={"WEBSOCKET_ALLOWED_ORIGINS": []})


def test_a_host_that_is_not_allowed_is_djangos_error():
    with pytest.raises(DisallowedHost):
        is_allowed("http://evil.example", host="evil.example")


@accept_websocket
def greet(request):
    request.websocket.send("welcome")


def test_a_foreign_page_gets_403_that_tells_what_to_do(site):
    client = site.serve(greet)
    with pytest.raises(WebSocketRefused) as caught:
        client.websocket("/", origin="https://evil.test")
    assert caught.value.status_code == 403
    text = caught.value.content.decode()
    assert "'https://evil.test'" in text
    assert "'http://testserver'" in text
    for name in ("WEBSOCKET_ALLOWED_ORIGINS", "CSRF_TRUSTED_ORIGINS", "SECURE_PROXY_SSL_HEADER"):
        assert name in text


@pytest.mark.parametrize("origin", ["http://testserver", "https://other.test"])
def test_an_own_and_an_allowed_page_connect(site, origin):
    client = site.serve(greet, WEBSOCKET_ALLOWED_ORIGINS=["https://other.test"])
    with client.websocket("/", origin=origin) as websocket:
        assert websocket.receive() == "welcome"
