"""Half a minute of load: at its end the server process holds no more than after a quarter of it."""

import pytest

from .running import run

SECONDS = 30


@pytest.mark.timeout(120)
def test_half_a_minute_of_load_leaves_nothing_behind():
    pytest.importorskip("gevent")
    run("soak", "--seconds", str(SECONDS), timeout=110)
