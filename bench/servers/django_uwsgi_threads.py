"""dwebsocket: the same Django project under uWSGI, in one process with two threads."""

from bench.servers.django_uwsgi import run

if __name__ == "__main__":
    run({"processes": "1", "threads": "2"})
