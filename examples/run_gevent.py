#!/usr/bin/env python
"""Serve the examples with gevent: python run_gevent.py -b 127.0.0.1:8000"""

from gevent import monkey

monkey.patch_all()  # before anything else is imported

import argparse  # noqa: E402

from demo.wsgi import application  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-b", "--bind", default="127.0.0.1:8000", metavar="HOST:PORT")
    host, _, port = parser.parse_args().bind.rpartition(":")
    server = WSGIServer((host.strip("[]"), int(port)), application)
    server.start()
    print(f"Listening on http://{host}:{server.server_port}/ with gevent, Ctrl-C ends.", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
