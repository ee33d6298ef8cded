"""A process that serves no WebSockets sends to a group of which nobody hears: it says so, once."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ..contract.conftest import MEMORY
from ..raw_client import RawClient
from ..servers.process import ROOT, without_coverage
from ..servers.rows import ROWS

LINE = "WARNING dwebsocket.groups: What is sent to the group 'news' reaches nobody: "
SETUP = "import django; django.setup(); from dwebsocket import Group"
SEND = "[Group('news').send('hello') for _ in range(3)]"

ALONE = {
    "a script, or a task queue's worker": ["-c", f"{SETUP}; {SEND}"],
    "a shell": ["-m", "django", "shell", "-c", f"from dwebsocket import Group; {SEND}"],
}
SERVING = {
    "a server of one's own, before its first request": [
        "-c",
        f"{SETUP}; from django.core.wsgi import get_wsgi_application as get; app = get(); {SEND}",
    ],
    "an ASGI server of one's own": [
        "-c",
        f"{SETUP}; from dwebsocket import asgi; app = asgi.get_websocket_application(); {SEND}",
    ],
    "a test that serves nothing": [
        "-c",
        f"from django.test.utils import setup_test_environment as get; {SETUP}; get(); {SEND}",
    ],
    "runserver, whose apps are ready and whose handler is not": [
        "-c",
        f"import sys; sys.argv = ['manage.py', 'runserver']; {SETUP}; {SEND}",
    ],
    "gunicorn, before its first request": [
        "-c",
        f"import sys; sys.argv = ['/usr/bin/gunicorn', 'site']; {SETUP}; {SEND}",
    ],
}


def run(arguments, **variables):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={
            **without_coverage(),
            "DJANGO_SETTINGS_MODULE": "tests.project.settings",
            "PYTHONPATH": os.fspath(ROOT),
            **variables,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=True,
        text=True,
    ).stdout


SETTINGS = {"memory": {"WEBSOCKET_GROUPS": MEMORY}, "machine": {}}
WORDS = {
    "memory": ["'dwebsocket.groups.redis.RedisGroupBackend'", "WEBSOCKET_GROUPS"],
    "machine": ["listens in the run directory", "WEBSOCKET_RUN_DIR"],
}


@pytest.mark.parametrize("backend", SETTINGS)
@pytest.mark.parametrize("name", ALONE)
def test_a_process_that_serves_nothing_says_so_once(name, backend):
    said = run(ALONE[name], DWEBSOCKET_TEST_SETTINGS=json.dumps(SETTINGS[backend]))
    assert said.count(LINE) == 1
    for words in WORDS[backend]:
        assert words in said


@pytest.fixture
def short_path():
    """The address of a socket has room for some hundred characters."""
    with tempfile.TemporaryDirectory(prefix="dw-") as path:
        yield Path(path)


def test_another_users_run_directory_of_this_site_is_named(short_path):
    """The server runs as that user, perhaps, and the shell must, too."""
    find = f"{SETUP}; from dwebsocket.machine import find_directory; print(find_directory().path)"
    environment = {"TMPDIR": str(short_path), "DWEBSOCKET_TEST_RUN_DIR": ""}
    variables = {"DWEBSOCKET_TEST_SETTINGS": '{"WEBSOCKET_RUN_DIR": null}', **environment}
    own = Path(run(["-c", find], **variables).strip())
    uid, _, rest = own.name.removeprefix("dwebsocket-").partition("-")
    assert uid == str(os.geteuid())
    (short_path / f"dwebsocket-{int(uid) + 1}-{rest}").mkdir()
    said = run(ALONE["a shell"], **variables)
    assert f"dwebsocket-{int(uid) + 1}-{rest}, of the user" in said
    assert "Run this as that user" in said


@pytest.mark.parametrize("name", SERVING)
def test_a_process_to_which_websockets_may_come_says_nothing(name):
    assert run(SERVING[name]) == ""


def test_with_redis_it_says_nothing(redis_server):
    settings = f'{{"WEBSOCKET_GROUPS": {{"BACKEND": "{redis_server.setting["BACKEND"]}", '
    settings += f'"LOCATION": "{redis_server.setting["LOCATION"]}"}}}}'
    said = run(ALONE["a shell"], DWEBSOCKET_TEST_SETTINGS=settings)
    assert "reaches nobody" not in said


@pytest.mark.parametrize("name", ["runserver", "gunicorn-gthread", "uwsgi-threads", "uvicorn"])
def test_a_server_with_an_empty_group_says_nothing(start_server, name):
    server = start_server(next(row for row in ROWS if row.name == name))
    try:
        client = RawClient(server)
        client.send_request("/group/send/news/?text=hello", websocket=False)
        assert client.read_response().status == 200
        client.hang_up()
    finally:
        server.stop()
    assert "reaches nobody" not in server.log.text()
