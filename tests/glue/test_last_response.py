"""What the response behind a WebSocket does to the database connections of its thread."""

import gc

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import RequestFactory

from dwebsocket.upgrade.lost_changes import LastResponse

from .site import make_site  # noqa: F401  # configures Django


@pytest.fixture(name="opened")
def open_connection():
    get_user_model().objects.count()
    opened = connection.connection
    assert opened is not None
    yield opened
    connection.close()


def test_they_are_gone_when_the_server_closes_it(opened):
    LastResponse(RequestFactory().get("/")).close()
    assert connection.connection is None


def test_they_stay_when_it_is_thrown_away(opened):
    """Any thread may do that, amid a query of another client."""
    response = LastResponse(RequestFactory().get("/"))
    response.itself = response  # the garbage collector's
    del response
    gc.collect()
    assert connection.connection is opened
    get_user_model().objects.count()
