"""A minute of load: the server process holds no more at its end than after its first quarter."""

import os
import subprocess
import sys

import pytest

from ..servers.process import ROOT

SECONDS = 60


@pytest.mark.timeout(240)
def test_a_minute_of_load_leaves_nothing_behind():
    pytest.importorskip("gevent")
    # Coverage's own records grow, and slow the server: here the package is what is measured.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")
    }
    result = subprocess.run(
        [sys.executable, "-m", "soak", "--seconds", str(SECONDS)],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
    )
    assert result.returncode == 0, result.stdout
