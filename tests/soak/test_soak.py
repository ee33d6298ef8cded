"""Some seconds of load: at its end the server process holds no more than after a quarter of it."""

import os

import pytest

from .running import run

SECONDS = int(os.environ.get("DWEBSOCKET_TEST_SOAK", "15"))


@pytest.mark.timeout(SECONDS + 105)
def test_load_leaves_nothing_behind():
    pytest.importorskip("gevent")
    run("soak", "--seconds", str(SECONDS), timeout=SECONDS + 95)
