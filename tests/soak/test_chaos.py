"""Some seconds of attacks, and nobody else notices: a server with threads and one with a loop."""

import os

import pytest

from .running import run

SECONDS = int(os.environ.get("DWEBSOCKET_TEST_ATTACK", "10"))


@pytest.mark.parametrize(
    ("server", "package"), [("gunicorn-gthread", "gunicorn"), ("gevent-pywsgi", "gevent")]
)
def test_an_attack_that_others_do_not_notice(server, package):
    pytest.importorskip(package)
    run("soak.chaos", server, "--seconds", str(SECONDS), timeout=SECONDS + 90)
