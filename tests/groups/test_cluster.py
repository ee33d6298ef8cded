"""A cluster: sharded publish and subscribe, one listener for each node."""

import socket

import pytest

from ..servers.process import find_free_port
from ..servers.redis import RedisServer
from .test_processes import Site, row_of_workers


class ClusterNode(RedisServer):
    """A cluster of one node that has all slots."""

    def __init__(self, directory):
        self.port = find_free_port()
        super().__init__(
            directory,
            *("--port", str(self.port), "--bind", "127.0.0.1", "--cluster-enabled", "yes"),
            *("--cluster-port", str(find_free_port())),
        )

    @property
    def setting(self):
        location = f"redis://127.0.0.1:{self.port}"
        return {**super().setting, "LOCATION": location, "OPTIONS": {"CLUSTER": True}}

    def take_slots(self):
        with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
            sock.sendall(b"CLUSTER ADDSLOTSRANGE 0 16383\r\n")
            assert sock.recv(100) == b"+OK\r\n"


@pytest.fixture
def node(test_directory, request):
    server = ClusterNode(test_directory / f"cluster-{id(request)}")
    yield server
    server.kill()


@pytest.fixture
def site(start_server, node):
    settings = {"WEBSOCKET_GROUPS": node.setting, "WEBSOCKET_SEND_TIMEOUT": 3}
    site = Site(start_server(row_of_workers("gunicorn-gthread"), settings))
    yield site
    site.close()
    site.server.stop()
    assert not site.server.log.find_faults(), site.server.log.text()


def test_messages_reach_members_in_all_processes(site, node):
    node.start()
    node.take_slots()
    members = site.join_everywhere()
    for sender in members[:3]:
        sender.send_text('["send_many", 50, 20]')
        for member in members:
            assert [int(member.read_text()[:6]) for _ in range(50)] == list(range(50))


def test_the_cluster_comes_later(site, node):
    members = site.join_everywhere()
    node.start()
    node.take_slots()
    for _ in range(40):  # until every process has found it
        members[0].send_text('["send_to_others", "hello"]')
        members[0].send_text('["answer", "sent"]')
        while members[0].read_text() != "sent":
            pass
        try:
            for member in members[1:]:
                assert member.read_text(timeout=0.5) == "hello"
        except TimeoutError:
            continue
        return
    raise AssertionError("some processes do not hear")
