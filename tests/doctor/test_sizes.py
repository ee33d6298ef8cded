"""Messages that are too long for somebody."""

from ..servers.rows import Row
from .conftest import SETTINGS, row


def test_the_servers_setting_is_less(echo, examine):
    """The server runs with other settings than are in the file."""
    settings = {**SETTINGS, "WEBSOCKET_MAX_MESSAGE_SIZE": 200_000}
    fault = examine(echo(), "--size", settings=settings).fault
    assert "A message of 200000 bytes is too long: 1009." in fault
    assert "WEBSOCKET_MAX_MESSAGE_SIZE is 200000 here" in fault
    assert "it runs with other settings" in fault


def test_the_setting_is_less(echo, examine):
    fault = examine(echo(), "--size", "150000").fault
    assert "A message of 150000 bytes is too long: 1009." in fault
    assert "WEBSOCKET_MAX_MESSAGE_SIZE = 150000" in fault


def test_the_setting_is_not_what_the_server_has(echo, examine):
    settings = {**SETTINGS, "WEBSOCKET_MAX_MESSAGE_SIZE": 50_000}
    (found,) = examine(echo(), "--size", settings=settings).marked("warning")
    assert "A message of 50001 bytes is taken" in found
    assert "Restart it" in found


def test_the_servers_own_limit(start_server, start_nginx, examine):
    usual = row("uvicorn")
    limited = Row("uvicorn-limited", (*usual.arguments, "--ws-max-size", "2000"), package="uvicorn")
    server = start_server(limited, {**SETTINGS, "WEBSOCKET_TAKE_OVER": False})
    try:
        address = f"wss://localhost:{start_nginx(server)}/echo/"
        fault = examine(address, "--size", "3000").fault
    finally:
        server.stop()
    assert "A message of 3000 bytes is too long: 1009." in fault
    assert "uvicorn --ws-max-size" in fault
