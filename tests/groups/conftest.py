"""Members in the test process, and in server processes that Redis connects."""

from importlib.util import find_spec

import pytest

from ..glue.site import make_site
from ..servers.redis import redis_servers
from .peers import TIMEOUT, Peer

__all__ = ["make_site"]


@pytest.fixture(autouse=True)
def patience(request, monkeypatch):
    """Who sends or joins waits for Redis as long as tests do: a busy machine may hold it up. Not so
    where that is what is tested.
    """
    if "usual_patience" not in request.fixturenames and find_spec("redis"):
        monkeypatch.setattr("dwebsocket.groups.redis.client.PATIENCE", TIMEOUT)
        for module in ("backend", "subscriber"):
            name = f"dwebsocket.groups.redis.{module}.MAX_CONFIRMATION"
            monkeypatch.setattr(name, TIMEOUT)


@pytest.fixture
def usual_patience():
    """A message, and who joins, waits for Redis as long as on a site."""


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
