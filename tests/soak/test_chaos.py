"""Twenty seconds of attacks, and nobody else notices: a server with threads and one with a loop."""

import pytest

from .running import run

SECONDS = 20


@pytest.mark.parametrize(
    ("server", "package"), [("gunicorn-gthread", "gunicorn"), ("gevent-pywsgi", "gevent")]
)
def test_an_attack_that_others_do_not_notice(server, package):
    pytest.importorskip(package)
    run("soak.chaos", server, "--seconds", str(SECONDS), timeout=110)
