"""Every example on every server that the README of the examples names, as they stand."""

import json
import os
import re
import select
import socket
import time
from contextlib import contextmanager
from functools import partial
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

from ..raw_client import build_close, build_request
from ..servers.examples import COMMANDS, ExampleServer

TIMEOUT = 20  # seconds
GONE = 30  # the same, for who must have been away for 15 s


@pytest.fixture(scope="module", params=COMMANDS)
def server(request, tmp_path_factory, example_database):
    server = ExampleServer(request.param, tmp_path_factory.mktemp("example"), example_database)
    server.start()
    yield server
    server.stop_for_good()


@pytest.fixture
def open_socket(server):
    return partial(open_on, server)


@contextmanager
def open_on(server, path):
    url = f"ws://{server.host}:{server.port}{path}"
    with connect(url, origin=server.url, open_timeout=TIMEOUT) as websocket:
        yield websocket


def get(server, path, **headers):
    with urlopen(Request(server.url + path, headers=headers), timeout=TIMEOUT) as response:
        return response.read().decode()


def receive_json(websocket, timeout=TIMEOUT):
    return json.loads(websocket.recv(timeout))


def test_pages_and_static_files(server):
    for name in ("chat/lobby", "echo", "echo/lower", "notifications", "ticker", "terminal"):
        page = get(server, f"/{name}/")
        scripts = re.findall(r"/static/[\w/.]+\.js", page)
        assert scripts, page
        for script in scripts:
            assert "connect" in get(server, script)


def test_echo(open_socket):
    with open_socket("/echo/socket/") as websocket:
        for message in ("Grüße", b"\0\xff", "x" * 100_000):
            websocket.send(message)
            assert websocket.recv(TIMEOUT) == message


def test_lower_case(server, open_socket):
    assert get(server, "/echo/lower/socket/?message=HELLO%20HTTP") == "hello http"
    with open_socket("/echo/lower/socket/") as websocket:
        websocket.send("GRÜSSE")
        assert websocket.recv(TIMEOUT) == "grüsse"


def test_ticker(open_socket):
    with open_socket("/ticker/socket/") as websocket:
        assert [receive_json(websocket)["number"] for _ in range(2)] == [1, 2]


def test_chat(open_socket):
    with open_socket("/chat/lobby/socket/?name=Ada&author=a") as ada:
        assert receive_json(ada)["recovered"] is True
        assert wait_for("presence", ada)["joined"] == {"a": {"name": "Ada"}}
        with open_socket("/chat/lobby/socket/?name=Bob&author=b") as bob:
            wait_for_people({"a", "b"}, bob)
            assert wait_for("presence", ada)["joined"] == {"b": {"name": "Bob"}}
            bob.send(json.dumps({"typing": True}))
            assert wait_for("typing", ada)["name"] == "Bob"
            bob.send(json.dumps({"text": "Hello Ada"}))
            for websocket in (ada, bob):
                message = wait_for("message", websocket)
                assert (message["name"], message["text"]) == ("Bob", "Hello Ada")


def test_who_comes_back_to_the_chat_gets_what_was_said_meanwhile(open_socket):
    with open_socket("/chat/coffee/socket/?name=Ada") as ada:
        ada.send(json.dumps({"text": "before"}))
        position = wait_for_position("before", ada)
        ada.send(json.dumps({"text": "meanwhile"}))
        wait_for_position("meanwhile", ada)
        for since, recovered, texts in (
            ("", True, ["before", "meanwhile"]),
            (position, True, ["meanwhile"]),
            ("lost", False, ["before", "meanwhile"]),
        ):
            with open_socket(f"/chat/coffee/socket/?name=Bob&since={since}") as bob:
                assert receive_json(bob)["recovered"] is recovered
                assert [wait_for("message", bob)["text"] for _ in texts] == texts


def wait_for_position(text, websocket):
    """The position at which a text was said."""
    while True:
        event = receive_json(websocket)
        if "data" in event and json.loads(event["data"]).get("text") == text:
            return event["position"]


@pytest.mark.parametrize("server", ["gunicorn-gthread", "uvicorn"], indirect=True)
def test_whoever_leaves_the_chat_at_once_is_not_there_for_long(server, open_socket):
    handshake = build_request("/chat/music/socket/?name=Ghost", f"{server.host}:{server.port}")
    for farewell in (b"", build_close(1001)) * 4:
        with socket.create_connection((server.host, server.port), TIMEOUT) as sock:
            sock.sendall(handshake + farewell)
    people = {}
    with open_socket("/chat/music/socket/?name=Ada&author=a") as ada:
        while "a" not in people or len(people) > 1:  # they may have come, and go then
            event = wait_for("presence", ada, GONE)
            people.update(event["joined"])
            for tab in event["left"]:
                del people[tab]


def wait_for_people(keys, websocket):
    """These come, together or one after the other, and nobody else."""
    while keys:
        joined = set(wait_for("presence", websocket)["joined"])
        assert joined <= keys
        keys = keys - joined


def wait_for(kind, websocket, timeout=TIMEOUT):
    """The next event of this kind. Between processes others may be late."""
    while True:
        event = receive_json(websocket, timeout)
        if "data" in event:  # of a group whose positions are told
            event = json.loads(event["data"])
        if event.get("type") == kind:
            return event


def test_windows_of_the_start_page(open_socket):
    with open_socket("/windows/?name=Ada") as ada:
        first = wait_for("welcome", ada)
        with open_socket("/windows/?name=Bob") as bob:
            second = wait_for("welcome", bob)
            assert wait_for("came", ada) == {**second, "type": "came"}
            for strange in ("[]", '{"answer": "\\ud800"}', '{"text": " "}', '{"text": 1}'):
                ada.send(strange)
            ada.send(json.dumps({"answer": second["id"]}))
            event = receive_json(bob)
            if event["type"] == "came":  # sent behind her welcome: Bob may be in the group by then
                assert event == {**first, "type": "came"}
                event = receive_json(bob)
            assert event == {**first, "type": "here"}
            bob.send(json.dumps({"text": "Hello Ada"}))
            for websocket in (ada, bob):
                assert receive_json(websocket) == {**second, "type": "said", "text": "Hello Ada"}
        assert receive_json(ada) == {**second, "type": "left"}


def test_notifications(server, open_socket):
    page = get(server, "/notifications/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
    with open_socket("/notifications/socket/") as one, open_socket("/notifications/socket/") as two:
        body = f"csrfmiddlewaretoken={token}&level=good&text=The+backup+is+complete"
        headers = {"Cookie": f"csrftoken={token}"}
        request = Request(f"{server.url}/notifications/", body.encode(), headers)
        with urlopen(request, timeout=TIMEOUT) as response:
            assert response.status == 204
        for websocket in (one, two):
            assert receive_json(websocket)["text"] == "The backup is complete"
    with open_socket("/notifications/socket/") as late:
        assert receive_json(late)["text"] == "The backup is complete"


def test_terminal(open_socket):
    with open_socket("/terminal/socket/") as websocket:
        websocket.send("expr 6 '*' 7\n")
        read_until(websocket, r"42\r")  # a result, not the echo of what was typed
        interrupt_a_job(websocket)
        for number in (1, 2, 3):
            websocket.send(f"expr {number} + 100\n")
        read_until(websocket, r"(?s)101\r.*102\r.*103\r")
        websocket.send("exit\n")
        with pytest.raises(ConnectionClosedOK):
            read_until(websocket, "what never comes")


def interrupt_a_job(websocket):
    """Ctrl-C ends what the shell has started, and the shell goes on."""
    websocket.send("(expr 10 '*' 11; exec sleep 600)\n")  # one job, for Ctrl-C to meet
    read_until(websocket, r"110\r")
    websocket.send("\x03expr 10 '*' 12\n")
    read_until(websocket, r"120\r")


def read_until(websocket, pattern):
    """The first match of the pattern in what the shell prints."""
    printed, deadline = b"", time.monotonic() + TIMEOUT
    while not (match := re.search(pattern, printed.decode())):
        printed += websocket.recv(deadline - time.monotonic())
    return match


@pytest.mark.parametrize("end", ["close", "hang up"])
def test_the_shell_ends_with_its_page(open_socket, end):
    with open_socket("/terminal/socket/") as websocket:
        websocket.send("trap '' HUP; echo shell $$ ready\n")
        with ends(int(read_until(websocket, r"shell (\d+) ready")[1])):
            if end == "hang up":
                websocket.socket.shutdown(socket.SHUT_RDWR)
            else:
                websocket.close()


@contextmanager
def ends(pid):
    """The process ends soon after the block."""
    process = os.pidfd_open(pid)
    try:
        yield
        ended, _, _ = select.select([process], [], [], TIMEOUT)
        assert ended, f"Process {pid} is still there {TIMEOUT} s after its page was closed."
    finally:
        os.close(process)


@pytest.mark.parametrize("name", ["runserver", "gevent", "eventlet", "uvicorn"])
def test_a_server_that_ignores_signals(name, tmp_path, example_database):
    """As one that a shell script starts with `&`, and one behind `nohup`: its shells do not."""
    server = ExampleServer(name, tmp_path, example_database)
    server.command = ["sh", "-c", 'trap "" HUP INT QUIT; exec "$@"', "sh", *server.command]
    server.start()
    try:
        with open_on(server, "/terminal/socket/") as websocket:
            interrupt_a_job(websocket)
            websocket.send("sh -c 'echo job $$ runs; exec sleep 600'\n")
            with ends(int(read_until(websocket, r"job (\d+) runs")[1])):
                websocket.close()
    finally:
        server.stop_for_good()


def test_the_terminal_is_for_this_machine_only(server):
    with pytest.raises(HTTPError) as refused:
        get(server, "/terminal/", **{"X-Forwarded-For": "203.0.113.9"})
    assert refused.value.code == 403
    refused.value.close()
