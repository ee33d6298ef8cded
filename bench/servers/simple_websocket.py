"""simple-websocket: a plain WSGI application under gevent.pywsgi."""

from gevent import monkey

monkey.patch_all()

from gevent.pywsgi import WSGIServer  # noqa: E402
from simple_websocket import ConnectionClosed, ConnectionError, Server  # noqa: E402

from bench.servers import BACKLOG, announce  # noqa: E402


def application(environ, start_response):
    try:
        websocket = Server.accept(environ)
        while True:
            websocket.send(websocket.receive())
    except (ConnectionClosed, ConnectionError, OSError):
        return []


if __name__ == "__main__":
    server = WSGIServer(("127.0.0.1", 0), application, backlog=BACKLOG, log=None)
    server.start()
    announce(server.server_port)
    server.serve_forever()
