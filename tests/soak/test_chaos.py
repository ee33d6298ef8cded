"""Twenty seconds of attacks, and nobody else notices: a server with threads and one with a loop."""

import subprocess
import sys

import pytest

from ..servers.process import ROOT, without_coverage

SECONDS = 20


@pytest.mark.parametrize(
    ("server", "package"), [("gunicorn-gthread", "gunicorn"), ("gevent-pywsgi", "gevent")]
)
def test_an_attack_that_others_do_not_notice(server, package):
    pytest.importorskip(package)
    result = subprocess.run(
        [sys.executable, "-m", "soak.chaos", server, "--seconds", str(SECONDS)],
        cwd=ROOT,
        env=without_coverage(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
    )
    assert result.returncode == 0, result.stdout
