#!/usr/bin/env python
"""Serve the examples with eventlet: python run_eventlet.py -b 127.0.0.1:8000"""

import eventlet

eventlet.monkey_patch()  # before anything else is imported

import argparse  # noqa: E402
import contextlib  # noqa: E402
import socket  # noqa: E402

from demo.wsgi import application  # noqa: E402
from eventlet import wsgi  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-b", "--bind", default="127.0.0.1:8000", metavar="HOST:PORT")
    host, _, port = parser.parse_args().bind.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    listener = eventlet.listen((host.strip("[]"), int(port)), family)
    port = listener.getsockname()[1]
    print(f"Listening on http://{host}:{port}/ with eventlet, Ctrl-C ends.", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        wsgi.server(listener, application)


if __name__ == "__main__":
    main()
