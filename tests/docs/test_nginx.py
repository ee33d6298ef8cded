"""The nginx configuration, in front of gunicorn and uvicorn; its page is right about each line."""

import re
import shutil
import socket
import ssl
import subprocess
from contextlib import closing

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from ..servers.process import find_free_port, wait_until
from ..servers.tls import share
from .conversations import TIMEOUT, check_echo
from .pages import code_in, page
from .projects import make_project, write_files
from .running import RunningServer

PAGE = page("docs/servers/nginx.md")
(BLOCK,) = PAGE.blocks_in("nginx")
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
HOST = "www.example.com"
MAIN = """
daemon off;
error_log stderr;
pid {directory}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}; proxy_temp_path {directory};
    fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};
    include {directory}/mysite.conf;
}}
"""


def test_braces_and_semicolons():
    """Without nginx this is all that is looked at."""
    code = re.sub(r"#.*", "", BLOCK.code)
    assert code.count("{") == code.count("}")
    for line in code.splitlines():
        assert not line.strip() or line.rstrip()[-1] in "{};"


@pytest.fixture(scope="module")
def server(request, skeleton, tmp_path_factory):
    (command,) = PAGE.blocks_in("console")[0].commands
    project = make_project(skeleton, tmp_path_factory.mktemp("nginx") / "project", PAGE)
    name = getattr(request, "param", "gunicorn")
    if name == "uvicorn":
        write_files(page("docs/howto/asgi.md"), project)
        (command,) = page("docs/howto/asgi.md").blocks_in("console")[0].commands[1:]
    assert command.startswith(name)
    with RunningServer(command.replace("8000", "0"), project) as running:
        yield running


@pytest.fixture
def start_nginx(server, tmp_path, certificates):
    processes = []

    def start(configuration):
        port = find_free_port()
        changes = {
            "listen 443": f"listen 127.0.0.1:{port}",
            "127.0.0.1:8000": f"127.0.0.1:{server.port}",
            "cert.pem": str(certificates.certificate),
            "key.pem": str(certificates.key),
        }
        for old, new in changes.items():
            assert old in configuration
            configuration = configuration.replace(old, new)
        (tmp_path / "mysite.conf").write_text(configuration)
        (tmp_path / "nginx.conf").write_text(MAIN.format(directory=tmp_path))
        command = [NGINX, "-p", str(tmp_path), "-c", "nginx.conf"]
        subprocess.run([*command, "-t"], check=True, capture_output=True, timeout=20)
        processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        wait_until(lambda: can_connect(port), "nginx listens", timeout=20)
        return port

    yield start
    for process in processes:
        process.terminate()
        process.wait(20)


def can_connect(port):
    with closing(socket.socket()) as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def open_through(port, host=HOST):
    """As a browser does that shows a page of this site."""
    trusting = share(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))  # the certificate has another name
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    sock = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    options = {"sock": sock, "ssl": trusting, "open_timeout": TIMEOUT}
    # The port of https is left out of names; what we listen on here stands for it.
    return connect(f"wss://{host}/echo/", origin=f"https://{host}", **options)


needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@needs_nginx
@pytest.mark.parametrize("server", ["gunicorn", "uvicorn"], indirect=True)
def test_websocket_through_nginx(server, start_nginx):
    with open_through(start_nginx(BLOCK.code)) as websocket:
        check_echo(websocket)


@needs_nginx
@pytest.mark.parametrize("row", PAGE.table("Line").rows, ids=lambda row: code_in(row[0])[0])
def test_without_a_line(row, start_nginx):
    directive = code_in(row[0])[0]
    without = re.sub(rf"^ *{directive}\b.*\n", "", BLOCK.code, flags=re.M)
    assert without != BLOCK.code
    with pytest.raises(InvalidStatus) as caught, open_through(start_nginx(without)):
        pass
    assert caught.value.response.status_code == int(re.search(r"\d{3}", row[1])[0])


@needs_nginx
def test_host_without_its_port(start_nginx):
    """On any port but 443: what the page says of $host, which other examples have."""
    port = start_nginx(BLOCK.code)
    with open_through(port, f"{HOST}:{port}") as websocket:
        check_echo(websocket)
    assert "Host $http_host;" in BLOCK.code
    port = start_nginx(BLOCK.code.replace("$http_host", "$host"))
    with pytest.raises(InvalidStatus) as caught, open_through(port, f"{HOST}:{port}"):
        pass
    assert caught.value.response.status_code == 403


@needs_nginx
def test_what_is_told_without_upgrade(start_nginx):
    """The client hears what it is that the line gives."""
    without = re.sub(r"^ *proxy_set_header Upgrade.*\n", "", BLOCK.code, flags=re.M)
    with pytest.raises(InvalidStatus) as caught, open_through(start_nginx(without)):
        pass
    assert b"A proxy in front has removed the Upgrade header" in caught.value.response.body
