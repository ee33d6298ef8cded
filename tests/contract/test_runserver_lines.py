"""What a developer sees of WebSockets at the terminal of runserver, without any LOGGING."""

import re

import pytest

from ..raw_client import RawClient
from ..servers.rows import ROWS

ROW = next(row for row in ROWS if row.name == "runserver")
DATE = r"^\[\d\d/\w{3}/\d{4} \d\d:\d\d:\d\d\] "


@pytest.fixture(scope="module")
def server(start_server):
    process = start_server(ROW, {"LOGGING": {}, "DEBUG": True})
    yield process
    process.stop()
    assert not process.log.find_faults(), process.log.text()


@pytest.mark.parametrize(
    "path", ["/echo/", "/async/echo/", "/handler/echo/", "/async/handler/echo/"]
)
def test_websockets_stand_among_the_requests(server, session_key, path):
    # It is asked for before an async handler runs, which could not ask.
    user = ", user ada" if "async/handler" in path else ""
    mark = server.log.mark()
    client = RawClient(server)
    client.open(path, headers={"Cookie": f"sessionid={session_key}"})
    server.log.wait_for(rf'{DATE}"WEBSOCKET {path}" opened{user}$', since=mark)
    client.send_text("developer")
    assert client.read_text() == "developer"
    client.send_close(4001, "enough")
    client.read_to_eof()
    server.log.wait_for(
        rf'{DATE}"WEBSOCKET {path}" code 4001 "enough", after \d+\.\d s, 1 message received{user}$',
        since=mark,
    )
    client.hang_up()
    client = RawClient(server)
    client.send_request("/plain/", websocket=False)
    assert client.read_response().status == 200
    server.log.wait_for(rf'{DATE}"GET /plain/ HTTP/1\.1" 200 5$', since=mark)
    client.hang_up()
    text = server.log.text(mark)
    assert len(re.findall(DATE, text, re.M)) == 3, text
    assert "dwebsocket" not in text


def test_the_user_stands_there_when_the_view_has_asked_for_it(server, session_key):
    mark = server.log.mark()
    client = RawClient(server)
    client.open("/placing/login/", headers={"Cookie": f"sessionid={session_key}"})
    server.log.wait_for(rf'{DATE}"WEBSOCKET /placing/login/" opened, user ada$', since=mark)
    client.hang_up()
    server.log.wait_for(
        rf'{DATE}"WEBSOCKET /placing/login/" code 1006 ".*", after .*, user ada$', since=mark
    )
