"""Several workers whose groups know nothing of each other: one that gets a member says so."""

import pytest

from ..contract.conftest import MEMORY
from .test_processes import Site, row_of_workers

SERVERS = {
    "gunicorn-gthread": "The command line of gunicorn",
    "uvicorn": "The command line of uvicorn",
    "uwsgi-processes": "uWSGI",
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_worker_says_that_there_are_others(start_server, name):
    server = start_server(row_of_workers(name, 2), {"WEBSOCKET_GROUPS": MEMORY})
    site = Site(server)
    site.join_soon()
    server.log.wait_for(f"WARNING dwebsocket.groups: {SERVERS[name]} asks for 2 worker processes")
    site.close()
    server.stop()


@pytest.mark.parametrize("name", SERVERS)
def test_workers_that_reach_each_other_say_nothing(start_server, name):
    server = start_server(row_of_workers(name, 2))
    site = Site(server)
    site.join_soon()
    site.close()
    server.stop()
    assert "worker processes" not in server.log.text()
