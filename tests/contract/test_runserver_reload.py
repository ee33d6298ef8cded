"""runserver as a developer starts it: with the autoreloader, which runs it in a child process."""

import os
from dataclasses import replace

from ..raw_client import RawClient
from ..servers.process import wait_until
from ..servers.rows import Row

ROW = Row("runserver-autoreload", ("-m", "django", "runserver", "127.0.0.1:0"))

#: A busy machine takes its time to notice.
TIMEOUT = 60


def test_runserver_with_autoreloader(start_server):
    server = start_server(ROW, {"DEBUG": True})
    try:
        client = RawClient(server)
        client.open("/echo/")
        client.send_text("developer")
        assert client.read_text() == "developer"
        client.send_close()
        client.read_close()
        assert client.read_to_eof() == b""
        client.hang_up()
    finally:
        server.stop()
    assert not server.log.find_faults(), server.log.text()


def test_a_changed_file_says_that_the_server_restarts(start_server, tmp_path):
    # Its own: one of the project's would have other servers restart that run meanwhile.
    changing = tmp_path / "changing_urls.py"
    changing.write_text("from tests.project.urls import urlpatterns\n")
    row = replace(ROW, arguments=(*ROW.arguments, "--pythonpath", str(tmp_path)))
    server = start_server(row, {"DEBUG": True, "ROOT_URLCONF": "changing_urls"})
    try:
        clients = [RawClient(server, timeout=TIMEOUT) for _ in range(2)]
        for client, path in zip(clients, ["/echo/", "/handler/echo/"], strict=True):
            client.open(path)
            client.send_text("developer")
            assert client.read_text() == "developer"

        def change():
            """Once more: what changes before the reloader first looks it does not notice."""
            os.utime(changing)
            return "changed, reloading" in server.log.text()

        wait_until(change, "a change is noticed", TIMEOUT, pause=0.3)
        for client in clients:
            assert client.read_close().close_code == 1012
            assert client.read_to_eof() == b""
            client.hang_up()
    finally:
        server.stop()
    assert not server.log.find_faults(), server.log.text()
