import pytest
import zmq

from dwebsocket.backends.gateway.wire import Kind

from .peer import Peer
from .processes import Gateway


@pytest.fixture(scope="module")
def front():
    """A front alone: what it knows of handlers these tests say. It waits for their answers."""
    gateway = Gateway(settings={"WEBSOCKET_CLOSE_TIMEOUT": 60})
    yield gateway
    gateway.stop()


@pytest.fixture
def meet(front):
    """meet(): somebody who speaks to the front, or to another one."""
    context, peers = zmq.Context(), []

    def make(front=front):
        peers.append(Peer(front, context))
        return peers[-1]

    yield make
    for peer in peers:
        peer.send(Kind.GONE)
        peer.close()
    context.term()
