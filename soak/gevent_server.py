"""The site under gevent.pywsgi, on a free port, without an access log."""

from gevent import monkey

monkey.patch_all()

from gevent.pywsgi import WSGIServer  # noqa: E402

from soak.site import application  # noqa: E402

if __name__ == "__main__":
    server = WSGIServer(("127.0.0.1", 0), application, log=None)
    server.start()
    print(f"LISTENING {server.server_port}", flush=True)
    server.serve_forever()
