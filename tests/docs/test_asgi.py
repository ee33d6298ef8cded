"""The page on ASGI: what it says of threads, and of the end of a view."""

import json
from contextlib import ExitStack
from urllib.request import urlopen

import pytest

from dwebsocket.transports.thread_loop import MAX_WORKERS

from ..servers.process import wait_until
from .conversations import TIMEOUT, check_echo, open_websocket
from .pages import page
from .running import RunningServer
from .test_servers import configure

PAGE = page("docs/howto/asgi.md")
UVICORN = "uvicorn --port 0 mysite.asgi:application"
COUNT = 40

# Beside the page's own: the quick start's view and handler, and what the process holds.
URLS = """
import threading

from chat import feeds
from django.http import JsonResponse
from django.urls import path
from mysite import handlers, urls, views


def state(request):
    names = [thread.name for thread in threading.enumerate()]
    return JsonResponse({"threads": names, "queues": len(feeds.queues)})


urlpatterns = [
    *urls.urlpatterns,
    path("view/", views.echo),
    path("handler/", handlers.Echo.as_view()),
    path("state/", state),
]
"""


@pytest.fixture
def project(make_page_project):
    directory = make_page_project(PAGE)
    (directory / "mysite" / "more_urls.py").write_text(URLS)
    configure(directory, 'ROOT_URLCONF = "mysite.more_urls"')
    configure(directory, "WEBSOCKET_CLOSE_TIMEOUT = 1")
    return directory


def state_of(server, address="state"):
    with urlopen(f"http://127.0.0.1:{server.port}/{address}/", timeout=TIMEOUT) as response:
        return json.load(response)


def count_threads(server):
    return len(state_of(server)["threads"])


def count_after(server, address):
    """How many threads there are more when so many WebSockets are open there, and wait."""
    before = count_threads(server)
    with ExitStack() as stack:
        for number in range(COUNT):
            check_echo(stack.enter_context(open_websocket(server, [address.format(number)])))
        return count_threads(server) - before


# As the table "What runs where" says.


def test_each_view_holds_a_thread(project):
    with RunningServer(UVICORN, project) as server:
        assert count_after(server, "/view/") >= COUNT


def test_handlers_share_some_threads(project):
    assert "one of up to 32 threads" in PAGE.text
    assert MAX_WORKERS == 32
    with RunningServer(UVICORN, project) as server:
        assert count_after(server, "/handler/") <= MAX_WORKERS


@pytest.mark.parametrize("address", ["/echo/", "/ws/room-{}/"])
def test_coroutines_hold_none(address, project):
    """But those that asgiref keeps for whoever comes next."""
    with RunningServer(UVICORN, project) as server:
        assert count_after(server, address) < COUNT / 2


def test_views_beyond_the_bound_are_refused(project):
    configure(project, "WEBSOCKET_VIEW_THREADS = 1")
    with RunningServer(UVICORN, project) as server, open_websocket(server, ["/view/"]) as view:
        check_echo(view)  # it runs, and is counted
        with pytest.raises(AssertionError, match=r"503 .*This process runs 1 WebSocket views"):
            open_websocket(server, ["/view/"])
        for address in ("/echo/", "/handler/"):
            with open_websocket(server, [address]) as websocket:
                check_echo(websocket)
        check_echo(view)


def test_a_view_that_does_not_ask_is_cancelled(project):
    with RunningServer(UVICORN, project) as server:
        with open_websocket(server, ["/feed/"]):
            wait_until(lambda: state_of(server)["queues"] == 1, "the view waits", timeout=TIMEOUT)
        wait_until(lambda: state_of(server)["queues"] == 0, "finally is done", timeout=TIMEOUT)


@pytest.mark.parametrize("worker", ["gthread", "gevent"])
def test_on_a_wsgi_server(worker, project):
    command = f"gunicorn -k {worker} --threads 8 --bind 127.0.0.1:0 mysite.wsgi"
    with RunningServer(command, project) as server:
        with pytest.raises(AssertionError, match="404"):  # what is in ws_urls.py
            open_websocket(server, ["/ws/lobby/"])
        if worker == "gthread":
            with ExitStack() as stack:
                for _ in range(2):
                    check_echo(stack.enter_context(open_websocket(server, ["/echo/"])))
        else:
            with pytest.raises(AssertionError, match=r"501 .*an async view or handler needs a thr"):
                open_websocket(server, ["/echo/"])
