"""A minute of load: the server process holds no more at its end than after its first quarter."""

import pytest

from .running import run

SECONDS = 60


@pytest.mark.timeout(240)
def test_a_minute_of_load_leaves_nothing_behind():
    pytest.importorskip("gevent")
    run("soak", "--seconds", str(SECONDS), timeout=200)
