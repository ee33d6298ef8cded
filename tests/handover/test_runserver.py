"""A developer saves a file, and the pages that are open notice nothing."""

import os

import pytest

from ..raw_client import CLOSE, TEXT, Frame, RawClient, build_frame
from ..servers.process import wait_until
from ..servers.rows import Row

#: A busy machine takes its time to start Django.
TIMEOUT = 60

#: A site whose files may be changed.
SITE = {
    "manage.py": "import django.core.management as m, sys; m.execute_from_command_line(sys.argv)",
    "site_settings.py": """
from tests.project.settings import *
ROOT_URLCONF = "site_urls"
DEBUG = True
WEBSOCKET_PING_INTERVAL = None
""",
    "site_urls.py": "from tests.project.urls import urlpatterns\n",
}
BROKEN = "this is no Python"


class Site:
    """The site, served by runserver, and its clients."""

    def __init__(self, directory, start_server):
        self.server = None
        self.urls = directory / "site_urls.py"
        self._start_server = start_server
        self._clients = []
        for name, text in SITE.items():
            (directory / name).write_text(text)
        self._manage = directory / "manage.py"

    def start(self, **settings):
        options = ("runserver", "127.0.0.1:0", "--settings", "site_settings")
        row = Row("runserver-reloads", (str(self._manage), *options), covered=False)
        self.server = self._start_server(row, settings, measured=False)
        self.log = self.server.log

    def connect(self, path):
        client = RawClient(self.server, timeout=TIMEOUT)
        self._clients.append(client)
        client.open(path)
        return client

    def save(self, text):
        """Save the file until the reloader has noticed."""
        before = self.count_reloads()
        self.urls.write_text(text)

        def touch():
            os.utime(self.urls)
            return self.count_reloads() > before

        wait_until(touch, "a change is noticed", TIMEOUT, pause=0.3)

    def wait_until_refused(self, count):
        """So many processes have not been able to take what waits."""
        text = "WebSockets stay, for process"
        wait_until(lambda: self.log.text().count(text) >= count, "it is refused", TIMEOUT)

    def count_reloads(self):
        return self.log.text().count("changed, reloading")

    def stop(self):
        for client in self._clients:
            client.hang_up()
        if self.server is not None:
            self.server.kill()


@pytest.fixture
def site(tmp_path, start_server):
    found = Site(tmp_path, start_server)
    yield found
    found.stop()


def find_pid(client):
    client.send_text("pid")
    return int(client.read_text().removeprefix("pid "))


def test_saved(site):
    site.start(WEBSOCKET_HANDOVER_TIMEOUT=120)
    client, half, view = map(site.connect, ("/moving/room/a/", "/moving/fine/", "/echo/"))
    assert half.read_text() == "open"
    frame = build_frame(TEXT, "half a frame")
    half.send_bytes(frame[:9])
    client.send_text("a")
    assert client.read_text() == "1 a"
    pid = find_pid(client)
    site.save(SITE["site_urls.py"])
    assert view.read_close().close_code == 1012  # its code cannot go
    wait_until(lambda: find_pid(client) != pid, "another process has it", TIMEOUT)
    client.send_text("b")
    assert client.read_text() == "2 b"
    half.send_bytes(frame[9:])
    assert [half.read_text() for _ in range(2)] == ["resumed fine", "half a frame"]

    # What cannot be loaded takes nothing: they wait for the next one.
    site.save(BROKEN)
    site.wait_until_refused(1)
    client.send_text("c")
    site.save(SITE["site_urls.py"])
    assert client.read_text() == "3 c"
    assert half.read_text() == "resumed fine"

    # Nobody is waited for when the server has gone.
    site.save(BROKEN)
    site.wait_until_refused(2)
    site.server.kill()
    assert client.read_frame() == half.read_frame() == Frame(CLOSE, b"\x03\xe9")


def test_nobody_comes(site):
    """They are not kept for longer than the setting says."""
    site.start(WEBSOCKET_HANDOVER_TIMEOUT=1)
    client = site.connect("/moving/room/a/")
    site.save(BROKEN)
    assert client.read_frame() == Frame(CLOSE, b"\x03\xf4")
    assert client.read_to_eof() == b""
