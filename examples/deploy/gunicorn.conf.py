"""gunicorn finds this file in the folder it is started in."""

import os

wsgi_app = "mysite.wsgi"
bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WORKERS", "2"))
# For ordinary requests: a handler holds none, and a view with a WebSocket gets another thread.
worker_class = "gthread"
threads = 8
# For the file by which a worker says that it lives: on a busy disk it would seem to hang.
worker_tmp_dir = "/dev/shm"
accesslog = "-"
control_socket_disable = True
