"""dwebsocket: the same Django view under gunicorn, in one worker with threads."""

import os

from django.core.wsgi import get_wsgi_application
from gunicorn.app.base import BaseApplication

from bench import certificate
from bench.servers import announce


class Gunicorn(BaseApplication):
    def __init__(self, options=None):
        self._options = options or {}
        super().__init__()

    def load_config(self):
        options = {
            "bind": "127.0.0.1:0",
            "worker_class": "gthread",
            "workers": 1,
            # WebSockets leave them: a view for a thread of its own, a handler for none.
            "threads": 2,
            "worker_connections": 6000,
            "loglevel": "warning",
            "control_socket_disable": True,
            # In the worker, when it has loaded Django: from here on it answers.
            "post_worker_init": lambda worker: announce(worker.sockets[0].getsockname()[1]),
            **certificate.options(),
        }
        for name, value in (options | self._options).items():
            self.cfg.set(name, value)

    def load(self):
        return get_wsgi_application()


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.project.settings"
    Gunicorn().run()
