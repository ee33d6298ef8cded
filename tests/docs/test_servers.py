"""The tables of servers: each command is started, and does what its row says."""

import re

import pytest

from ..servers.rows import ROWS
from .conversations import check_capacity, check_echo, close_code_at_sigterm, open_websocket
from .pages import code_in, page
from .projects import make_project, write_files
from .running import RunningServer

INDEX = page("docs/servers/index.md")
TABLE = INDEX.table("Server")

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
}
# Has a page and tests of its own.
UWSGI = "uWSGI"


@pytest.fixture
def project(skeleton, tmp_path):
    """A project with the scripts of the pages that a row refers to."""
    directory = make_project(skeleton, tmp_path / "project", INDEX)
    for name in ["gevent", "eventlet", "werkzeug"]:
        write_files(page(f"docs/servers/{name}.md"), directory)
    for script in directory.glob("serve_*.py"):
        script.write_text(script.read_text().replace("8000", "0"))
    return directory


def command_of(cell):
    """A command, or the link to the page that shows a script."""
    link = re.search(r"\((\w+)\.md\)", cell)
    return f"python serve_{link[1]}.py" if link else code_in(cell)[0].replace("8000", "0")


@pytest.mark.parametrize(
    "row", [row for row in TABLE.rows if row[0] != UWSGI], ids=lambda row: NAMES[row[0]]
)
def test_row(row, project):
    _, command, held, _, code = row
    with RunningServer(command_of(command), project) as server:
        if held == "the whole worker":
            check_capacity(server, 1)
        with open_websocket(server) as websocket:
            check_echo(websocket)
            if held != "the whole worker":
                with open_websocket(server) as second:
                    check_echo(second)
            assert close_code_at_sigterm(server, websocket) == int(code)


@pytest.mark.parametrize(
    "command",
    [
        "gunicorn -k gthread --threads 2 --bind 127.0.0.1:0 mysite.wsgi",
        "python -m cheroot --threads 2 --max-threads 2 --bind 127.0.0.1:0 mysite.wsgi:application",
        "waitress-serve --threads 2 --listen 127.0.0.1:0 mysite.wsgi:application",
    ],
)
def test_pool_holds_as_many_as_it_has_threads(command, project):
    with RunningServer(command, project) as server:
        check_capacity(server, 2)


def test_tables_name_the_servers_of_the_contract_suite():
    plain = {re.sub(r"-tls$|^(uwsgi)-.*", r"\1", row.name) for row in ROWS}
    named = [NAMES[row[0]] for row in TABLE.rows]
    # The bare server below runserver, and gevent without its monkey patching: nobody's choice.
    assert plain - {"wsgiref", "gevent-unpatched"} == set(named)
    assert [NAMES[row[0]] for row in page("README.md").table("Server").rows] == named


def test_tls_is_what_the_contract_suite_runs():
    proven = {re.sub(r"-tls$|^(uwsgi)-.*", r"\1", row.name) for row in ROWS if row.tls}
    for row in TABLE.rows:
        if NAMES[row[0]] in proven:
            assert row[3] == "yes"


def test_readme_agrees_with_the_servers_page():
    in_readme = [(row[0], row[1], row[2]) for row in page("README.md").table("Server").rows]
    assert in_readme == [(row[0], row[2], row[3]) for row in TABLE.rows]
