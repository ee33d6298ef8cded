"""The ini files of examples/uwsgi serve the examples as they stand, but for the port."""

import os
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from websockets.sync.client import connect

from ..docs.projects import environment
from ..docs.running import RunningServer
from ..docs.test_nginx import MAIN
from ..examples.test_servers import interrupt_a_job
from ..servers.process import ROOT, find_free_port, wait_until
from ..servers.rows import NGINX
from ..servers.uwsgi import PROGRAM

EXAMPLES = ROOT / "examples"
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="uwsgi is not installed")


@pytest.fixture
def open_directory():
    """nginx gives it to its workers, another user, who may enter the one above it, too."""
    with tempfile.TemporaryDirectory(prefix="dwebsocket-") as directory:
        yield Path(directory)


def copy(name, directory, **changes):
    """One of the files, beside which the project lies as in examples/."""
    text = (EXAMPLES / "uwsgi" / name).read_text().replace("%d..", str(EXAMPLES))
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    path = directory / name
    path.write_text(text)
    return path


def check_echo(port):
    url = f"ws://127.0.0.1:{port}/echo/socket/"
    origin = f"http://127.0.0.1:{port}"
    with connect(url, origin=origin) as one, connect(url, origin=origin) as two:
        for websocket in (one, two):
            websocket.send("Grüße")
            assert websocket.recv(10) == "Grüße"


def check_terminal(port):
    """uWSGI is no Python to start others with, and its threads block signals."""
    url = f"ws://127.0.0.1:{port}/terminal/socket/"
    with connect(url, origin=f"http://127.0.0.1:{port}") as websocket:
        interrupt_a_job(websocket)


@pytest.mark.parametrize("name", ["gevent.ini", "threads.ini"])
def test_router(name, tmp_path):
    port = find_free_port()
    path = copy(name, tmp_path, port=("8000", str(port)))
    with RunningServer(f"uwsgi --ini {path}", tmp_path, port=port):
        check_echo(port)
        check_terminal(port)


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
def test_nginx(open_directory):
    port = find_free_port()
    socket = ("/tmp/dwebsocket-examples.sock", str(open_directory / "examples.sock"))
    path = copy("nginx.ini", open_directory, socket=socket)
    copy("nginx.conf", open_directory, socket=socket, port=("8000", str(port))).rename(
        open_directory / "mysite.conf"
    )
    (open_directory / "nginx.conf").write_text(MAIN.format(directory=open_directory))
    uwsgi = subprocess.Popen(
        ["uwsgi", "--ini", str(path)],
        env=environment(),
        cwd=open_directory,
        start_new_session=True,
    )
    try:
        wait_until((open_directory / "examples.sock").exists, "uWSGI listens", timeout=20)
        command = [NGINX, "-p", str(open_directory), "-c", "nginx.conf"]
        with RunningServer(" ".join(command), open_directory, port=port):
            check_echo(port)
    finally:
        os.killpg(uwsgi.pid, signal.SIGKILL)
        uwsgi.wait(20)
