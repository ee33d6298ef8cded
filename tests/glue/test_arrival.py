"""What has arrived of a refused handshake is told to who has the project's key, to nobody else."""

import json

import pytest
from django.core.signing import TimestampSigner
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from dwebsocket import accept_websocket, require_websocket
from dwebsocket.upgrade.arrival import HEADER, MARK, describe_arrival, sign_question

from .site import OURS


@require_websocket
def view(request):
    request.websocket.send("opened")


@accept_websocket
def page(request):
    return HttpResponse("a page")


def ask(site, headers, **options):
    client = site.connect()
    client.send_request("/", headers=headers, **options)
    response = client.read_response()
    client.join()
    return response


def test_it_is_told(site):
    site.serve(view)
    headers = {
        "Connection": "close",
        "Origin": "https://example.test",
        "Cookie": "sessionid=secret",
        "Authorization": "Basic secret",
        "X-Forwarded-Proto": "https",
    }
    response = ask(site, {**headers, HEADER: sign_question()}, version="HTTP/1.0")
    assert response.status == 400
    reason, arrived = response.body.decode().splitlines()
    told = json.loads(arrived.removeprefix(MARK))
    assert reason.startswith("A WebSocket handshake is an HTTP/1.1 request")
    assert (told["protocol"], told["scheme"], told["secure_header"]) == ("HTTP/1.0", "http", None)
    assert told["headers"]["Connection"] == "close"
    assert told["headers"]["Upgrade"] == "websocket"
    assert told["headers"]["X-Forwarded-Proto"] == "https"
    assert "secret" not in arrived


def test_the_header_of_the_setting_is_told(site):
    site.serve(view, SECURE_PROXY_SSL_HEADER=("HTTP_X_SECURE", "yes"))
    for headers, value in [({}, ""), ({"X-Secure": "no"}, "no")]:
        response = ask(site, {"Connection": "close", **headers, HEADER: sign_question()})
        told = json.loads(response.body.decode().partition(MARK)[2])
        assert told["secure_header"] == ["HTTP_X_SECURE", "yes", value]


def signed_otherwise():
    yield ""
    yield "what arrived?"
    yield sign_question()[:-1]
    yield TimestampSigner(salt="dwebsocket.doctor").sign("anything else")
    yield TimestampSigner().sign("what arrived?")
    with override_settings(SECRET_KEY="another"):
        signed = sign_question()
    yield signed


def test_nobody_else_is_told(site):
    site.serve(view)
    without = ask(site, {"Connection": "close"})
    assert MARK not in without.body.decode()
    for value in signed_otherwise():
        response = ask(site, {"Connection": "close", HEADER: value})
        assert (response.status, response.body) == (without.status, without.body)


def test_a_question_gets_old(monkeypatch):
    request = RequestFactory().get("/", headers={HEADER: sign_question()})
    assert describe_arrival(request)
    monkeypatch.setattr("dwebsocket.upgrade.arrival.MAX_AGE", -1)
    assert not describe_arrival(request)


def test_what_is_told_is_short_and_one_line(site):
    request = RequestFactory().get(
        "/", headers={HEADER: sign_question(), "Origin": "x" * 10_000, "Upgrade": "a\nb\x1b"}
    )
    told = describe_arrival(request)
    assert len(told) < 1000
    assert told.count("\n") == 1
    assert told.isascii()
    assert "\x1b" not in told


@pytest.mark.parametrize("middleware", [[], [OURS]])
def test_it_opens_no_door(site, middleware):
    """With the question a request gets what it would have got."""
    origin = {"Origin": "https://evil.test"}
    for called, headers, status in [
        (view, {}, 101),
        (view, origin, 403),
        (page, {"Upgrade": None}, 200),
        (view, {"Upgrade": None}, 400),
    ]:
        site.serve(called, MIDDLEWARE=middleware)
        for further in ({}, {HEADER: sign_question()}):
            assert ask(site, {**headers, **further}).status == status
