"""The servers that run on this machine, found and understood by their command lines."""

import re
from pathlib import Path

import pytest
from django.test import override_settings

from dwebsocket.management.doctor.installed import CARRY
from dwebsocket.management.doctor.processes import ServerProcess, find_program
from dwebsocket.management.doctor.running import examine_server

from ..docs.pages import page
from ..docs.projects import APPS, make_skeleton, run, write_files
from ..docs.running import RunningServer
from ..glue import site

__all__ = ["site"]  # configures Django


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project of its own directory, by which its servers are known."""
    directory = tmp_path_factory.mktemp("doctor") / "project"
    directory.mkdir()
    make_skeleton(directory)
    with (directory / "mysite/settings.py").open("a") as settings:
        settings.write(f"\n{APPS}\n")
    write_files(page("docs/servers/asgi.md"), directory)
    return directory


def look(project):
    """What the doctor says of servers."""
    output = run(project, "python", "manage.py", "websocket_doctor")
    return [line for line in output.splitlines() if re.match(r"\w+ +server ", line)]


GUNICORN = "gunicorn -k gthread --threads 8 --workers 2 --bind 127.0.0.1:0 mysite.wsgi"


def test_nothing_runs(project):
    (line,) = look(project)
    assert line.startswith("ok       server        None of this project runs here")


def test_gunicorn_with_several_workers(project):
    backend = "dwebsocket.groups.memory.MemoryGroupBackend"
    settings = project / "mysite" / "settings.py"
    before = settings.read_text()
    settings.write_text(f"{before}WEBSOCKET_GROUPS = {{'BACKEND': '{backend}'}}\n")
    try:
        with RunningServer(GUNICORN, project):
            well, memory = look(project)
    finally:
        settings.write_text(before)
    assert re.search(
        r"^ok .*gunicorn \(process \d+\): worker class gthread, workers 2, threads 8, timeout 30;",
        well,
    )
    assert re.search(r"^warning .* runs 2 processes, and the backend of groups reaches the", memory)


def test_gunicorn_by_its_file_and_variable(project):
    """What the file computes is not known."""
    path = project / "gunicorn.conf.py"
    path.write_text("import os\nworker_class = 'gevent'\ntimeout = int('7')\nthreads = 3\n")
    try:
        with RunningServer("gunicorn --bind 127.0.0.1:0 -t7 mysite.wsgi", project):
            (line,) = look(project)
        assert "worker class gevent, workers 1, threads 3, timeout 7; a view holds a" in line
        with RunningServer("gunicorn --bind 127.0.0.1:0 mysite.wsgi", project):
            (line,) = look(project)
        assert "timeout computed by its file;" in line
    finally:
        path.unlink()


@pytest.mark.parametrize(
    ("command", "mark", "words"),
    [
        ("uvicorn --port 0 mysite.asgi:application", "ok", "runs ASGI"),
        ("hypercorn --bind 127.0.0.1:0 mysite.asgi:application", "ok", "runs ASGI"),
        ("daphne -p 0 mysite.asgi:application", "ok", "runs ASGI"),
        ("python manage.py runserver 127.0.0.1:0 --noreload", "ok", "is for development"),
        ("waitress-serve --listen 127.0.0.1:0 mysite.wsgi:application", "ok", "are for HTTP"),
    ],
)
def test_other_servers(project, command, mark, words):
    with RunningServer(command, project):
        lines = look(project)
    (line,) = [line for line in lines if words in line]
    assert line.startswith(mark)


def running(command, **variables):
    program, words = find_program(command.split())
    return ServerProcess(0, program, words, Path("/nowhere"), variables)


@pytest.mark.parametrize(
    ("command", "mark", "words"),
    [
        ("gunicorn -k tornado mysite.wsgi", "fault", "501"),
        ("gunicorn --threads 4 mysite.wsgi", "ok", "worker class gthread"),
        ("gunicorn -kasgi mysite.asgi", "ok", "worker class asgi"),
        ("gunicorn -k uvicorn.workers.UvicornWorker mysite.asgi", "ok", "is not known"),
        ("uvicorn --ws none mysite.asgi:application", "fault", "--ws none: 501"),
        ("uvicorn --interface wsgi mysite.wsgi:application", "fault", "--interface wsgi"),
        ("granian mysite.asgi:application", "fault", "--interface rsgi"),
        ("granian --interface asgi mysite.asgi:application", "warning", "sends no Pings"),
        ("uwsgi --http :8000 --module mysite.wsgi", "fault", "--http-websockets"),
        ("uwsgi --http :8000 --http-websockets --module mysite.wsgi", "ok", "an ini file"),
        ("uwsgi --ini uwsgi.ini", "ok", "an ini file"),
        ("python -m cheroot mysite.wsgi:application", "ok", "are for HTTP"),
    ],
)
def test_options(command, mark, words):
    findings = [*examine_server(running(command))]
    (found,) = [one for one in findings if words in one.sentence]
    assert found.mark.value == mark


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("hypercorn mysite.asgi:application", "sends no Pings"),
        ("daphne mysite.asgi:application", "no message above 1048576 bytes"),
        ("gunicorn -kasgi mysite.asgi", "sends no Pings"),
        ("uvicorn --ws-max-size=1000 mysite.asgi:application", "above 1000 bytes"),
    ],
)
def test_options_of_servers_that_keep_their_connections(command, words):
    assert not any(words in one.text for one in examine_server(running(command)))
    with override_settings(WEBSOCKET_TAKE_OVER=False):
        (found,) = [one for one in examine_server(running(command)) if words in one.text]
    assert found.mark.value == "warning"


def test_options_of_variables():
    server = running("gunicorn mysite.wsgi", GUNICORN_CMD_ARGS="-k gevent", WEB_CONCURRENCY="3")
    (found,) = [one for one in examine_server(server) if "worker class" in one.text]
    assert "worker class gevent, workers 3" in found.text
    server = running("gunicorn -k gthread mysite.wsgi", GUNICORN_CMD_ARGS="-k gevent")
    (found,) = [one for one in examine_server(server) if "worker class" in one.text]
    assert "worker class gthread" in found.text


def test_a_title_hides_the_options():
    program, words = find_program(["gunicorn: master [mysite.wsgi]"])
    (found,) = examine_server(ServerProcess(0, program, words, Path("/nowhere"), {}))
    assert "hides its command line" in found.text


def test_what_may_not_be_looked_at_is_said():
    server = ServerProcess(0, "waitress", ["mysite.wsgi:application"], None, None)
    assert "are not known, it is another user's" in [*examine_server(server)][-1].text


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("python /venv/bin/gunicorn mysite.wsgi", "gunicorn"),
        ("/venv/bin/python -u -m uvicorn mysite.asgi", "uvicorn"),
        ("python manage.py runserver", "runserver"),
        ("django-admin runserver_plus", "runserver_plus"),
        ("python -W ignore -X dev -m hypercorn mysite.asgi", "hypercorn"),
        ("vim gunicorn.conf.py", None),
        ("vim gunicorn", None),
        ("python manage.py migrate", None),
        ("python script.py gunicorn", None),
        ("grep -r gunicorn", None),
        ("tail -f gunicorn", None),
        ("", None),
    ],
)
def test_which_program_it_is(command, program):
    assert find_program(command.split())[0] == program


def test_all_servers_of_the_documentation_are_known():
    """Those with a name on the page, but what Django brings."""
    shown = " ".join(row[0] for row in page("docs/servers/index.md").table("Server").rows)
    for name in re.findall(r"gunicorn|gevent|eventlet|Werkzeug|cheroot|waitress|uWSGI", shown):
        assert name in CARRY
    for name in re.findall(r"uvicorn|daphne|hypercorn|granian", shown):
        assert name in CARRY
