"""nginx in front of a server: TLS, and the lines of its location, with some changed."""

import subprocess
from contextlib import suppress
from socket import create_connection

import pytest

from .process import find_free_port, wait_until
from .rows import NGINX

MAIN = """
daemon off;
error_log stderr crit;
pid {directory}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}; proxy_temp_path {directory};
    fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    {site}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificates.certificate};
        ssl_certificate_key {certificates.key};
        location / {{
            proxy_pass http://{upstream};
            {lines}
        }}
    }}
}}
"""

#: By what they are called in tests.
LINES = {
    "version": "proxy_http_version 1.1;",
    "upgrade": "proxy_set_header Upgrade $http_upgrade;",
    "connection": "proxy_set_header Connection $connection_upgrade;",
    "host": "proxy_set_header Host $http_host;",
    "proto": "proxy_set_header X-Forwarded-Proto $scheme;",
    "timeout": "proxy_read_timeout 60s;",
}


class Nginx:
    """Started with LINES, some of which are changed, or left out where the change is empty. Each
    request goes to the next of the ports `upstream`.
    """

    def __init__(self, directory, upstream, certificates, changes):
        if NGINX is None:
            pytest.skip("nginx is not installed")
        self.port = find_free_port()
        self.host, self.client_context = "127.0.0.1", certificates.client_context
        directory.mkdir()
        servers = [f"127.0.0.1:{port}" for port in upstream]
        configuration = directory / "nginx.conf"
        configuration.write_text(
            MAIN.format(
                directory=directory,
                port=self.port,
                site=f"upstream site {{ {' '.join(f'server {one};' for one in servers)} }}",
                upstream="site" if len(servers) > 1 else servers[0],
                certificates=certificates,
                lines=" ".join({**LINES, **changes}.values()),
            )
        )
        self._process = subprocess.Popen([NGINX, "-p", str(directory), "-c", str(configuration)])
        wait_until(self._answers, "nginx listens", timeout=20)

    def _answers(self):
        with suppress(ConnectionRefusedError), create_connection(("127.0.0.1", self.port), 5):
            return True
        return False

    def stop(self):
        self._process.terminate()
        self._process.wait(20)
