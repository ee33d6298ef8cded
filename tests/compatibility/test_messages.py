"""What old views do with a message."""

import json

import pytest
from django.http import HttpResponse

from dwebsocket.decorators import accept_websocket, require_websocket

either = pytest.mark.parametrize("legacy", [False, True])


def decoded(request):
    for message in request.websocket:
        if message:
            request.websocket.send(message.decode("utf-8").upper().encode("utf-8"))


def by_str(request):
    for message in request.websocket:
        if message:
            request.websocket.send(str(message, encoding="utf-8").upper().encode("utf-8"))


def by_json(request):
    for message in request.websocket:
        if message:
            request.websocket.send(json.dumps({"got": json.loads(message)}).encode())


@pytest.mark.parametrize(
    ("function", "answer"),
    [(decoded, '"\u20ac A"'), (by_str, '"\u20ac A"'), (by_json, '{"got": "\\u20ac a"}')],
)
def test_bytes_in_bytes_out_under_legacy(site, function, answer):
    """Text arrives as bytes, and what is sent as bytes reaches the browser as a string."""
    client = site.serve(require_websocket(function), WEBSOCKET_LEGACY=True)
    with client.websocket("/") as websocket:
        websocket.send('"\u20ac a"')
        assert websocket.receive() == answer


def lower(request):
    for message in request.websocket:
        if message:
            request.websocket.send(message.lower())


@either
def test_the_readme_sample(site, legacy):
    @accept_websocket
    def lower_case(request):
        if not request.is_websocket():
            try:
                return HttpResponse(request.GET["message"].lower())
            except KeyError:
                return HttpResponse("no message", status=400)
        return lower(request)

    client = site.serve(lower_case, WEBSOCKET_LEGACY=legacy)
    assert client.get("/?message=HELLO").content == b"hello"
    assert client.get("/").status_code == 400
    with client.websocket("/") as websocket:
        websocket.send("HELLO")
        assert websocket.receive() == "hello"


@either
def test_json_works_with_either(site, legacy):
    client = site.serve(
        require_websocket(lambda request: by_json_text(request)), WEBSOCKET_LEGACY=legacy
    )
    with client.websocket("/") as websocket:
        websocket.send('{"a": 1}')
        assert json.loads(websocket.receive()) == {"a": 1}


def by_json_text(request):
    request.websocket.send(json.dumps(json.loads(request.websocket.wait())))
