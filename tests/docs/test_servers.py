"""The tables of servers: each command is started, and does what its row says."""

import re

import pytest
from websockets.exceptions import ConnectionClosed

from ..servers.rows import ROWS
from .conversations import (
    TIMEOUT,
    check_capacity,
    check_echo,
    check_http,
    check_many,
    close_codes_at_sigterm,
    open_websocket,
)
from .pages import code_in, page
from .projects import SETTINGS, make_project, write_file, write_files
from .running import RunningServer

INDEX = page("docs/servers/index.md")
ASGI = page("docs/servers/asgi.md")
TABLE = INDEX.table("Server")

# The addresses of the quick start's view and handler.
VIEW, HANDLER = ["/echo/"], ["/handler/"]

# The server's name in the tables: its name in the rows of the contract suite.
NAMES = {
    "Django `runserver`": "runserver",
    "`gunicorn -k sync`": "gunicorn-sync",
    "`gunicorn -k gthread`": "gunicorn-gthread",
    "`gunicorn -k gevent`": "gunicorn-gevent",
    "`gunicorn -k gevent_pywsgi`": "gunicorn-gevent-pywsgi",
    "`gevent.pywsgi`": "gevent-pywsgi",
    "`eventlet.wsgi`": "eventlet",
    "Werkzeug, `runserver_plus`": "werkzeug",
    "cheroot": "cheroot",
    "waitress": "waitress",
    "uWSGI": "uwsgi",
    "uvicorn": "uvicorn",
    "daphne": "daphne",
    "hypercorn": "hypercorn",
    "granian": "granian",
    "`gunicorn -k asgi`": "gunicorn-asgi",
}
# Has a page and tests of its own.
UWSGI = "uWSGI"


@pytest.fixture
def project(skeleton, tmp_path):
    """A project with the files of the pages that a row refers to."""
    directory = make_project(skeleton, tmp_path / "project", INDEX)
    for name in ["gevent", "eventlet", "werkzeug"]:
        write_files(page(f"docs/servers/{name}.md"), directory)
    (block,) = [block for block in ASGI.blocks if block.file == "mysite/asgi.py"]
    write_file(directory / block.file, block)
    for script in directory.glob("serve_*.py"):
        script.write_text(script.read_text().replace("8000", "0"))
    return directory


def configure(project, line):
    """Add to the settings."""
    with (project / SETTINGS).open("a") as settings:
        settings.write(f"\n{line}\n")


def command_of(cell):
    """A command, or the link to the page that shows a script."""
    link = re.search(r"\((\w+)\.md\)", cell)
    return f"python serve_{link[1]}.py" if link else code_in(cell)[0].replace("8000", "0")


@pytest.mark.parametrize(
    "row", [row for row in TABLE.rows if row[0] != UWSGI], ids=lambda row: NAMES[row[0]]
)
def test_row(row, project):
    _, command, _, _, code = row
    with (
        RunningServer(command_of(command), project) as server,
        open_websocket(server) as view,
        open_websocket(server) as second,
        open_websocket(server, HANDLER) as handler,
    ):
        for websocket in (view, second, handler):
            check_echo(websocket)
        check_http(server)
        assert {*close_codes_at_sigterm(server, view, handler)} <= codes_of(code)


def codes_of(cell):
    return {int(code) for code in re.findall(r"\b\d{4}\b", cell)}


# Servers for one request at a time, or two, and what the pages say of a view on them.
SMALL = {
    "python manage.py runserver --noreload --nothreading 0": None,
    "gunicorn --bind 127.0.0.1:0 mysite.wsgi": "a thread of its own",
    "gunicorn -k gthread --threads 2 --bind 127.0.0.1:0 mysite.wsgi": "a thread of its own",
    "gunicorn -k gevent --worker-connections 2 --bind 127.0.0.1:0 mysite.wsgi": "a greenlet",
    "python -m cheroot --threads 2 --max-threads 2 --bind 127.0.0.1:0 mysite.wsgi:application": (
        "a thread of its own"
    ),
    "waitress-serve --threads 2 --listen 127.0.0.1:0 mysite.wsgi:application": (
        "a thread of its own"
    ),
}


@pytest.mark.parametrize("command", SMALL)
def test_handlers_hold_nothing_of_the_server_and_views_what_is_said(command, project):
    with RunningServer(command, project) as server:
        check_many(server, HANDLER, 20)
        if SMALL[command] in ("a thread of its own", "a greenlet"):
            check_many(server, VIEW, 20)
        else:
            check_capacity(server, 1 if "--nothreading" in command else 2)


def test_requests_of_eventlet_are_views_and_not_handlers(project):
    script = project / "serve_eventlet.py"
    text = script.read_text()
    assert text.count("application)\n") == 1
    script.write_text(text.replace("application)\n", "application, max_size=2)\n"))
    with RunningServer("python serve_eventlet.py", project) as server:
        check_many(server, HANDLER, 20)
        check_capacity(server, 2)


@pytest.mark.parametrize(
    "command",
    [name for name in SMALL if SMALL[name] == "a thread of its own" and "gunicorn" in name],
)
def test_views_that_stay(command, project):
    configure(project, "WEBSOCKET_VIEW_THREADS = 0")
    with RunningServer(command, project) as server:
        check_capacity(server, 2 if "gthread" in command else 1)


def test_one_view_too_many(project):
    configure(project, "WEBSOCKET_VIEW_THREADS = 1")
    with (
        RunningServer("gunicorn --bind 127.0.0.1:0 mysite.wsgi", project) as server,
        open_websocket(server) as view,
        open_websocket(server, HANDLER) as handler,
    ):
        with pytest.raises(AssertionError, match=r"503 .*This process runs 1 WebSocket views"):
            open_websocket(server)
        check_echo(view)
        check_echo(handler)


def test_tls_connections_leave_the_server(project, certificates):
    command = (
        "gunicorn -k gthread --threads 2 --bind 127.0.0.1:0 mysite.wsgi "
        f"--certfile {certificates.certificate} --keyfile {certificates.key}"
    )
    with RunningServer(command, project) as server:
        check_many(server, VIEW, 10, ssl=certificates.client_context)
        check_many(server, HANDLER, 10, ssl=certificates.client_context)


#: Its worker says all two seconds that it is there, and has four to start.
IMPATIENT = "gunicorn --timeout 4 --bind 127.0.0.1:0 mysite.wsgi"


def test_timeout_of_the_sync_worker_does_not_touch_websockets(project):
    with (
        RunningServer(IMPATIENT, project) as server,
        open_websocket(server) as view,
        open_websocket(server, HANDLER) as handler,
    ):
        with pytest.raises(TimeoutError):
            view.recv(7)
        check_echo(view)
        check_echo(handler)


def test_timeout_of_the_sync_worker_kills_a_view_that_stays(project):
    configure(project, "WEBSOCKET_VIEW_THREADS = 0")
    with (
        RunningServer(IMPATIENT, project, may_log=["SystemExit"]) as server,
        open_websocket(server) as view,
        pytest.raises(ConnectionClosed),
    ):
        view.recv(TIMEOUT)


def test_tables_name_the_servers_of_the_contract_suite():
    others = r"-untaken$|^(uvicorn|uwsgi)-.*|-tls$"  # options, and a setting
    plain = {re.sub(others, r"\1", row.name) for row in ROWS if not row.http2}
    named = [NAMES[row[0]] for row in TABLE.rows]
    # The bare server below runserver, and gevent without its monkey patching: nobody's choice. The
    # gateway serves no pages, and has a page of its own.
    assert plain - {"wsgiref", "gevent-unpatched", "gateway"} == set(named)
    assert [NAMES[row[0]] for row in page("README.md").table("Server").rows] == named


def test_tls_is_what_the_contract_suite_runs():
    proven = {re.sub(r"-tls$|^(uvicorn|uwsgi)-.*", r"\1", row.name) for row in ROWS if row.tls}
    for row in TABLE.rows:
        if NAMES[row[0]] in proven:
            assert row[3] == "yes"


def test_readme_agrees_with_the_servers_page():
    in_readme = [(row[0], row[1], row[2]) for row in page("README.md").table("Server").rows]
    assert in_readme == [(row[0], row[2], row[3]) for row in TABLE.rows]
