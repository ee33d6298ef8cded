"""gunicorn restarts its workers: sessions of our client go on, whatever carries them."""

import pytest

from ..engine_client import EngineClient
from .test_gunicorn import SETTINGS, make_row, reload, run, wait_for_end

__all__ = ["run"]  # a fixture

PATIENT = {**SETTINGS, "WEBSOCKET_RESUME_TIMEOUT": 30}


@pytest.fixture
def open_engine():
    engines = []

    def open_one(server, path, **options):
        engines.append(EngineClient(server, path, resume=True, **options))
        return engines[-1]

    yield open_one
    for engine in engines:
        engine.hang_up()


def test_one(run, open_engine):
    server = run(make_row("gthread"))
    engine = open_engine(server, "/moving/room/a/")
    engine.open_websocket()
    engine.send("4a")
    assert engine.read_until(1) == ["41 a"]
    old = reload(server)
    wait_for_end(server, old)
    print(server.log.text())
    engine.send("4b")
    assert engine.read_until(2) == ["41 a", "42 b"]
    print(server.log.text())
    assert 0
