"""Every test here runs on every kind of transport that it can run on."""

import pytest

from .pairs import KINDS, make_pair


@pytest.fixture(params=KINDS)
def pair(request, certificates):
    made = make_pair(request.param, certificates)
    yield made
    made.close()


@pytest.fixture
def transport(pair):
    return pair.transport


@pytest.fixture
def peer(pair):
    return pair.peer
