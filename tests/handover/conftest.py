"""A site in the test process, which does not end, whatever another test has had it think."""

import pytest

from dwebsocket.backends.sockets import ending

from ..glue import site

__all__ = ["site"]  # configures Django


@pytest.fixture(autouse=True)
def go_on():
    ending.start_anew()
