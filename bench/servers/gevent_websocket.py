"""gevent-websocket: a plain WSGI application, with wsaccel as its documentation advises."""

from gevent import monkey

monkey.patch_all()

from gevent.pywsgi import WSGIServer  # noqa: E402
from geventwebsocket.exceptions import WebSocketError  # noqa: E402
from geventwebsocket.handler import WebSocketHandler  # noqa: E402

from bench.servers import BACKLOG, announce  # noqa: E402


def application(environ, start_response):
    websocket = environ["wsgi.websocket"]
    try:
        while (message := websocket.receive()) is not None:
            websocket.send(message)
    except (WebSocketError, ConnectionError):
        pass
    return []


if __name__ == "__main__":
    server = WSGIServer(
        ("127.0.0.1", 0), application, backlog=BACKLOG, log=None, handler_class=WebSocketHandler
    )
    server.start()
    announce(server.server_port)
    server.serve_forever()
