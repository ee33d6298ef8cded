"""nginx that keeps its connections to a server: handshakes of one client that are refused, beside
the POSTs of another, which go over the same connections.
"""

import subprocess
from dataclasses import replace
from itertools import cycle, islice
from types import SimpleNamespace

import pytest

from ..raw_client import RawClient
from ..servers.process import find_free_port, wait_until
from ..servers.rows import NGINX
from .conftest import check_and_stop, run

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

CONFIGURATION = """
daemon off;
error_log stderr crit;
pid {directory}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}; proxy_temp_path {directory};
    fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    upstream site {{ server 127.0.0.1:{upstream}; keepalive 16; }}
    server {{
        listen 127.0.0.1:{port};
        keepalive_requests 10000;
        location / {{
            proxy_pass http://site;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
    }}
}}
"""
REFUSED = [
    ("/echo/", {"Sec-WebSocket-Version": "8"}),
    ("/echo/", {"Origin": "http://evil.test"}),
    ("/handler/echo/", {"Sec-WebSocket-Key": None}),
    ("/manual/refuse/", {}),
    ("/middleware-last/plain/", {}),
    ("/manual/raise/", {}),
]
POSTS = 1000


@pytest.fixture(scope="session")
def server(row, start_server, journal):
    """It closes no connection because that is idle: a POST on its way then would be lost, too."""
    options = ("--keep-alive", "75") if row.package == "gunicorn" else ()
    row = replace(row, arguments=(*row.arguments, *options))
    process = run(start_server, row, {}, measured=False)
    yield process
    check_and_stop(process, journal)


@pytest.fixture
def nginx(server, tmp_path):
    port = find_free_port()
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(directory=tmp_path, port=port, upstream=server.port)
    )
    process = subprocess.Popen([NGINX, "-p", str(tmp_path), "-c", str(configuration)])
    front = SimpleNamespace(host="127.0.0.1", port=port, client_context=None)
    wait_until(lambda: answers(front), "nginx listens", timeout=20)
    yield front
    process.terminate()
    process.wait(20)


def answers(front):
    try:
        RawClient(front).hang_up()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.rows(name="gevent-pywsgi")
def test_no_post_is_lost_behind_gevent(nginx, address):
    check_posts(nginx, address)


@pytest.mark.rows(name="gunicorn-gthread")
def test_no_post_is_lost_behind_gunicorn(nginx, address):
    check_posts(nginx, address)


def check_posts(nginx, address):
    visitor = RawClient(nginx)
    lost = 0
    for path, headers in islice(cycle(REFUSED), POSTS):
        refused = RawClient(nginx)
        refused.send_request(address(path), headers=headers)
        assert 400 <= refused.read_response().status <= 500
        refused.hang_up()
        visitor.send_request(
            "/posted/", websocket=False, method="POST", headers={"Content-Length": "0"}
        )
        lost += visitor.read_response().status != 200
    visitor.hang_up()
    assert lost == 0
