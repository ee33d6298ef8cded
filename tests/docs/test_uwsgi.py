"""The page on uWSGI: its ini files serve, its modes are those of the contract suite."""

import os
import re
import signal
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
from websockets.sync.client import connect

from ..servers.process import find_free_port, wait_until
from ..servers.rows import NGINX, ROWS
from ..servers.uwsgi import PROGRAM
from .conversations import TIMEOUT, check_echo, close_codes_at_sigterm
from .pages import code_in, page
from .projects import SETTINGS, environment, make_project
from .running import RunningServer
from .test_nginx import MAIN
from .test_servers import INDEX

PAGE = page("docs/howto/uwsgi.md")
# Those of nginx's own file that WSGI needs; and the host with its port, as the page says.
PARAMETERS = {
    "QUERY_STRING": "$query_string",
    "REQUEST_METHOD": "$request_method",
    "CONTENT_LENGTH": "$content_length",
    "REQUEST_URI": "$request_uri",
    "PATH_INFO": "$document_uri",
    "SERVER_PROTOCOL": "$server_protocol",
    "SERVER_NAME": "$server_name",
    "SERVER_PORT": "$server_port",
    "HTTP_HOST": "$host:$server_port",
}
needs_uwsgi = pytest.mark.skipif(not PROGRAM.exists(), reason="uwsgi is not installed")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@pytest.fixture
def short_directory():
    """Of which nginx's workers, another user, may enter what lies above."""
    with tempfile.TemporaryDirectory(prefix="dwebsocket-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def project(skeleton, short_directory):
    """Without the setting: it is for one section of the page."""
    directory = make_project(skeleton, short_directory / "project", PAGE)
    settings = directory / SETTINGS
    (native,) = (block for block in PAGE.blocks if block.file == SETTINGS)
    line = native.code.split("\n", 1)[1]
    assert line in settings.read_text()
    settings.write_text(settings.read_text().replace(line, 'ALLOWED_HOSTS = ["*"]'))
    return directory


def write_ini(project, name, **changes):
    (block,) = (block for block in PAGE.blocks_in("ini") if block.file == name)
    code = block.code
    for old, new in changes.values():
        assert old in code
        code = code.replace(old, new)
    (project / name).write_text(code)
    return f"uwsgi --ini {name}"


def open_echo(port):
    address, origin = f"ws://127.0.0.1:{port}/echo/", f"http://127.0.0.1:{port}"
    return connect(address, origin=origin, open_timeout=TIMEOUT)


@needs_uwsgi
def test_ini(project):
    port = find_free_port()
    command = write_ini(project, "uwsgi.ini", port=("8000", str(port)))
    assert command in PAGE.blocks_in("console")[0].commands
    with RunningServer(command, project, port=port) as server, open_echo(port) as websocket:
        check_echo(websocket)
        (row,) = (row for row in INDEX.table("Server").rows if row[0] == "uWSGI")
        codes = {int(code) for code in re.findall(r"\d{4}", row[4])}
        assert set(close_codes_at_sigterm(server, websocket)) <= codes


@needs_uwsgi
@needs_nginx
def test_nginx(project):
    port = find_free_port()
    socket = ("/tmp/mysite.sock", str(project / "mysite.sock"))
    command = write_ini(project, "behind_nginx.ini", socket=socket, mode=("660", "666"))
    (block,) = PAGE.blocks_in("nginx")
    site = block.code.replace("listen 80", f"listen 127.0.0.1:{port}").replace(*socket)
    lines = [f"uwsgi_param {name} {variable};" for name, variable in PARAMETERS.items()]
    (project / "uwsgi_params").write_text("\n".join(lines))
    (project / "mysite.conf").write_text(site)
    (project / "nginx.conf").write_text(MAIN.format(directory=project))
    uwsgi = subprocess.Popen(
        command.split(), env=environment(), cwd=project, start_new_session=True
    )
    try:
        wait_until(lambda: may_connect(project / "mysite.sock"), "uWSGI listens", timeout=20)
        nginx = f"{NGINX} -p {project} -c nginx.conf"
        with (
            RunningServer(nginx, project, port=port),
            open_echo(port) as websocket,
        ):
            check_echo(websocket)
    finally:
        os.killpg(uwsgi.pid, signal.SIGKILL)
        uwsgi.wait(20)


def may_connect(path):
    """It has bound it, listens there, and lets everybody in: in this order."""
    return path.exists() and stat.S_IMODE(path.stat().st_mode) == 0o666


def test_modes_are_those_of_the_contract_suite():
    options = " ".join(option for row in ROWS for option in row.arguments)
    for row in PAGE.table("Mode").rows:
        for option in re.findall(r"--\w+", code_in(row[0])[0]):
            assert option in options


def test_table_of_servers_leads_here():
    assert [row[1] for row in INDEX.table("Server").rows if row[0] == "uWSGI"] == [
        "[an ini file](../howto/uwsgi.md)"
    ]
