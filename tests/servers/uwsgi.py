"""Run the test site under uWSGI: python -m tests.servers.uwsgi PORT [--nginx] OPTION…

uWSGI is a program, found beside the Python that runs this. It does not say which port it got, so it
is told one. With --nginx it listens on a Unix socket, and nginx in front of it on the port.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from .process import wait_until
from .rows import NGINX

PROGRAM = Path(sys.executable).with_name("uwsgi")
COMMON = (
    *("--master", "--die-on-term", "--need-app", "--virtualenv", sys.prefix),
    *("--module", "tests.project.wsgi:application", "--buffer-size", "32768"),
)
# What coverage gives to the processes that tests start. It does not survive that an interpreter
# ends in a thread which it has not seen, as uWSGI ends its own.
if {"COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"} & os.environ.keys():
    COMMON = (*COMMON, "--import", "tests.servers.uwsgi_coverage", "--skip-atexit")
# The parameters that WSGI needs. nginx reports each connection that uWSGI's end tears: not at crit.
CONFIGURATION = """
daemon off;
error_log stderr crit;
pid {directory}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}; proxy_temp_path {directory};
    fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 10m;
        location / {{
            uwsgi_pass unix:{directory}/uwsgi.sock;
            uwsgi_param QUERY_STRING $query_string;
            uwsgi_param REQUEST_METHOD $request_method;
            uwsgi_param CONTENT_TYPE $content_type;
            uwsgi_param CONTENT_LENGTH $content_length;
            uwsgi_param REQUEST_URI $request_uri;
            uwsgi_param PATH_INFO $document_uri;
            uwsgi_param SERVER_PROTOCOL $server_protocol;
            uwsgi_param SERVER_NAME $server_name;
            uwsgi_param SERVER_PORT $server_port;
            uwsgi_param HTTP_HOST $host:$server_port;
        }}
    }}
}}
"""


def run_alone(port, options):
    listening = [option.replace("PORT", port) for option in options]
    print(f"LISTENING {port}", flush=True)
    os.execv(PROGRAM, [str(PROGRAM), *COMMON, *listening])


def run_behind_nginx(port, options):
    """Until SIGTERM, or until one of the two ends."""
    with tempfile.TemporaryDirectory(prefix="dwebsocket-nginx-") as directory:
        configuration = Path(directory, "nginx.conf")
        configuration.write_text(CONFIGURATION.format(directory=directory, port=port))
        path = Path(directory, "uwsgi.sock")
        server = [str(PROGRAM), *COMMON, "--socket", str(path), "--chmod-socket=666", *options]
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        processes = []
        try:
            processes.append(subprocess.Popen(server))
            # From here on nginx's requests queue up there, until uWSGI has loaded the site.
            wait_until(path.exists, "uWSGI listens", timeout=20)
            processes.append(subprocess.Popen([NGINX, "-p", directory, "-c", str(configuration)]))
            print(f"LISTENING {port}", flush=True)
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        finally:
            end(processes)


def end(processes):
    """uWSGI first: its clients shall hear its last words through nginx."""
    for process in processes:
        process.terminate()
        process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port")
    parser.add_argument("--nginx", action="store_true")
    options, others = parser.parse_known_args()
    (run_behind_nginx if options.nginx else run_alone)(options.port, others)


if __name__ == "__main__":
    main()
