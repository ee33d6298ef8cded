"""dwebsocket: the same Django project under gunicorn, in one sync worker."""

import os

from bench.servers.django_gthread import Gunicorn

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.project.settings"
    Gunicorn({"worker_class": "sync", "threads": 1, "timeout": 5}).run()
