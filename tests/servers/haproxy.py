"""Run the test site under gunicorn on a Unix socket, and haproxy in front of it, on PORT, which
speaks HTTP/2 with clients: python -m tests.servers.haproxy PORT [--certificate … --key …] OPTION…
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from .process import wait_until
from .rows import HAPROXY
from .uwsgi import end

CONFIGURATION = """
global
    log stderr format raw local0 err
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
frontend clients
    bind 127.0.0.1:{port} {protocol}
    default_backend site
backend site
    server gunicorn unix@{directory}/gunicorn.sock
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    options, others = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="dwebsocket-haproxy-") as directory:
        run(Path(directory), options, others)


def run(directory, options, others):
    """Until SIGTERM, or until one of the two ends."""
    protocol = "proto h2"  # without TLS a client that knows
    if options.certificate:
        both = directory / "both.pem"
        both.write_text(Path(options.certificate).read_text() + Path(options.key).read_text())
        protocol = f"ssl crt {both} alpn h2,http/1.1"
    configuration = directory / "haproxy.cfg"
    configuration.write_text(
        CONFIGURATION.format(port=options.port, protocol=protocol, directory=directory)
    )
    path = directory / "gunicorn.sock"
    server = ["-m", "gunicorn", "tests.project.wsgi:application", "--bind", f"unix:{path}"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    processes = []
    try:
        processes.append(subprocess.Popen([sys.executable, *server, *others]))
        wait_until(path.exists, "gunicorn listens", timeout=20)
        processes.append(subprocess.Popen([HAPROXY, "-db", "-f", str(configuration)]))
        print(f"LISTENING {options.port}", flush=True)
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    finally:
        end(processes)


if __name__ == "__main__":
    main()
