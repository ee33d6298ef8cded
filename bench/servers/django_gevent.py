"""dwebsocket: an ordinary Django view under gevent.pywsgi."""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402

from django.core.wsgi import get_wsgi_application  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402

from bench import certificate  # noqa: E402
from bench.servers import BACKLOG, announce  # noqa: E402

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.project.settings"
    options = {"backlog": BACKLOG, "log": None, **certificate.options()}
    server = WSGIServer(("127.0.0.1", 0), get_wsgi_application(), **options)
    server.start()
    announce(server.server_port)
    server.serve_forever()
