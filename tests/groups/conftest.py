"""Members in the test process, and in server processes that Redis connects."""

import pytest

from ..glue.site import make_site
from ..servers.redis import redis_servers
from .peers import Peer

__all__ = ["make_site"]


@pytest.fixture
def make_redis(test_directory):
    with redis_servers(test_directory) as make:
        yield make


@pytest.fixture
def make_peer():
    """Make a backend for the setting; it is closed at the end of the test."""
    peers = []

    def make(setting, **settings):
        peers.append(Peer(setting, **settings))
        return peers[-1]

    yield make
    for peer in peers:
        peer.close()
