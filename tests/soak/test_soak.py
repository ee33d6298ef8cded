"""A minute of load: the server process holds no more at its end than after its first quarter."""

import subprocess
import sys

import pytest

from ..servers.process import ROOT, without_coverage

SECONDS = 60


@pytest.mark.timeout(240)
def test_a_minute_of_load_leaves_nothing_behind():
    pytest.importorskip("gevent")
    # Coverage's own records grow, and slow the server: here the package is what is measured.
    result = subprocess.run(
        [sys.executable, "-m", "soak", "--seconds", str(SECONDS)],
        cwd=ROOT,
        env=without_coverage(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
    )
    assert result.returncode == 0, result.stdout
