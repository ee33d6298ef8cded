"""dwebsocket: an ordinary Django view under uWSGI's gevent."""

import os
import sys
from pathlib import Path

from tests.servers.process import find_free_port

PROGRAM = Path(sys.executable).with_name("uwsgi")

if __name__ == "__main__":
    port = find_free_port()
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.project.settings"
    os.environ["BENCH_PORT"] = str(port)
    # uWSGI puts its log under stdout, and the bench reads there.
    stdout = os.dup(1)
    os.set_inheritable(stdout, True)
    os.environ["BENCH_STDOUT"] = str(stdout)
    options = {
        "http-socket": f"127.0.0.1:{port}",
        "gevent": "600",
        # uWSGI takes no more than the system's own limit, often less than bench.servers.BACKLOG.
        "listen": Path("/proc/sys/net/core/somaxconn").read_text().strip(),
        "virtualenv": sys.prefix,
        "module": "bench.project.uwsgi",
        "pythonpath": str(Path(__file__).parents[2]),
    }
    flags = ["--gevent-early-monkey-patch", "--need-app", "--disable-logging"]
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    os.execv(PROGRAM, [str(PROGRAM), *flags, *arguments])
