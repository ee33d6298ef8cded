"""What the page of loggers says of a live site, and the lines that it shows, on a real server."""

import re
import time
from http.client import HTTPConnection

import pytest
from websockets.exceptions import ConnectionClosed

from ..raw_client import KEY
from .conversations import open_websocket
from .pages import page
from .projects import SETTINGS, make_project
from .running import TIMEOUT, RunningServer

PAGE = page("docs/reference/checks-and-logging.md")
VIEWS = """
from django.urls import path

from dwebsocket import require_websocket, WebSocketHandler


@require_websocket
def failing(request):
    raise ZeroDivisionError("in a view")


class Failing(WebSocketHandler):
    def on_open(self):
        raise ZeroDivisionError("in a handler")


urlpatterns += [path("failing/view/", failing), path("failing/handler/", Failing.as_view())]
"""
LIVE = 'DEBUG = False\nALLOWED_HOSTS = ["*"]\n'
ERROR = r"ERROR django\.request: Internal Server Error: /failing/{kind}/\nTraceback "
FAILED = r"(?ms)^ZeroDivisionError: in a {kind}$"


def make_site(skeleton, directory, *, debug):
    project = make_project(skeleton, directory, PAGE)
    with (project / "mysite" / "urls.py").open("a") as urls:
        urls.write(VIEWS)
    if not debug:
        with (project / SETTINGS).open("a") as settings:
            settings.write(LIVE)
    return project


def without_logging(project):
    (block,) = (block for block in PAGE.blocks if block.file == SETTINGS)
    path = project / SETTINGS
    lines = block.code.split("\n", 1)[1]
    assert lines in path.read_text()
    path.write_text(path.read_text().replace(lines, ""))


def serve(project, command="gunicorn --bind 127.0.0.1:0 --threads 4 mysite.wsgi"):
    return RunningServer(command, project, may_log=["ZeroDivisionError"])


def fail(server, kind):
    with pytest.raises(ConnectionClosed):
        open_websocket(server, [f"/failing/{kind}/"]).recv(TIMEOUT)


def ask(server, path):
    """The status of the answer to a handshake, as a browser gets it: redirects are not followed."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    connection.request("GET", path, headers={**headers, "Sec-WebSocket-Key": KEY})
    status = connection.getresponse().status
    connection.close()
    return status


def wait_for(server, pattern):
    deadline = time.monotonic() + TIMEOUT
    while (found := re.search(pattern, server.log, re.M)) is None:
        assert time.monotonic() < deadline, f"no {pattern!r} in:\n{server.log}"
        time.sleep(0.02)
    return found


@pytest.mark.parametrize("debug", [False, True])
def test_the_settings_write_errors_and_lines_once(skeleton, tmp_path, debug):
    project = make_site(skeleton, tmp_path / "project", debug=debug)
    with serve(project) as server:
        for kind in ("view", "handler"):
            fail(server, kind)
            wait_for(server, ERROR.format(kind=kind))
            wait_for(server, FAILED.format(kind=kind))
            wait_for(server, rf"WebSocket opened: /failing/{kind}/")
            wait_for(server, rf"WebSocket ended: /failing/{kind}/, .*, code 1011, ")
            assert len(re.findall(ERROR.format(kind=kind), server.log)) == 1
        assert ask(server, "/echo") == 301
        wait_for(server, shape_of(find_line("handshake answered")).replace("/chat", "/echo"))
        assert len(re.findall("WebSocket handshake answered", server.log)) == 1


def test_without_them_an_error_of_a_live_site_leaves_no_line(skeleton, tmp_path):
    project = make_site(skeleton, tmp_path / "project", debug=False)
    without_logging(project)
    with serve(project) as server:
        fail(server, "view")
        fail(server, "handler")
        # What the page says of ours: written to stderr, and later than what is not.
        assert ask(server, "/echo") == 301
        wait_for(server, "^WebSocket handshake answered with 301: GET /echo: ")
        assert "ZeroDivisionError" not in server.log
        assert "Internal Server Error" not in server.log
        assert "WebSocket opened" not in server.log


def find_line(words):
    shown = "\n".join(block.code for block in PAGE.blocks_in("text"))
    (line,) = (line for line in shown.splitlines() if words in line)
    return line


def shape_of(line):
    """A pattern for a line that is shown: with another date, time and number of messages."""
    return re.sub(r"\d+(?:\\\.\d+)?", r"[\\d.]+", re.escape(line)).replace("Nov", r"\w{3}")


SERVERS = {
    "python manage.py runserver --noreload 0": ['" opened', '" code'],
    "gunicorn --bind 127.0.0.1:0 mysite.wsgi": ["WebSocket opened", "WebSocket ended"],
}


@pytest.mark.parametrize("command", SERVERS)
def test_the_lines_that_are_shown(skeleton, tmp_path, command):
    project = make_site(skeleton, tmp_path / "project", debug=True)
    with (project / "mysite" / "urls.py").open("a") as urls:
        urls.write(
            "\n\nclass User:\n    is_authenticated = True\n"
            "    def get_username(self):\n        return 'ada'\n"
            "\n\ndef chat(request):\n    request.user = User()\n    return views.echo(request)\n"
            "\n\nurlpatterns += [path('chat/', chat)]\n"
        )
    if "runserver" in command:
        without_logging(project)
    with serve(project, command) as server:
        with open_websocket(server, ["/chat/"]) as websocket:
            for number in range(4):
                websocket.send(str(number))
                websocket.recv(TIMEOUT)
            websocket.close(1001)
        for words in SERVERS[command]:
            wait_for(server, shape_of(find_line(words)))
