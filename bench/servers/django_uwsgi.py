"""dwebsocket: an ordinary Django view under uWSGI's gevent, or on its threads."""

import os
import sys
from pathlib import Path

from tests.servers.process import find_free_port

PROGRAM = Path(sys.executable).with_name("uwsgi")

GEVENT = {"gevent": "600", "gevent-early-monkey-patch": None}


def run(mode):
    port = find_free_port()
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.project.settings"
    os.environ["BENCH_PORT"] = str(port)
    # uWSGI puts its log under stdout, and the bench reads there.
    stdout = os.dup(1)
    os.set_inheritable(stdout, True)
    os.environ["BENCH_STDOUT"] = str(stdout)
    options = {
        "http-socket": f"127.0.0.1:{port}",
        **mode,
        # uWSGI takes no more than the system's own limit, often less than bench.servers.BACKLOG.
        "listen": Path("/proc/sys/net/core/somaxconn").read_text().strip(),
        "virtualenv": sys.prefix,
        "module": "bench.project.uwsgi",
        "pythonpath": str(Path(__file__).parents[2]),
    }
    arguments = ["--need-app", "--disable-logging"]
    for name, value in options.items():
        arguments += [f"--{name}"] if value is None else [f"--{name}", value]
    os.execv(PROGRAM, [str(PROGRAM), *arguments])


if __name__ == "__main__":
    run(GEVENT)
