"""What a server's log says of WebSockets that open and end."""

import re

import pytest

OPENED = r"^INFO dwebsocket\.connection: WebSocket opened: {path}, user {user}, from {address}$"
ENDED = (
    r"^INFO dwebsocket\.connection: WebSocket ended: {path}, user {user}, from {address}, "
    r"code {code}(?: \"[^\"]*\")?, after \d+\.\d s, {received} received$"
)
#: An address, or nothing where a Unix socket has none.
ADDRESS = r"(?:127\.0\.0\.1|-)"
PATHS = ["/echo/", "/async/echo/", "/handler/echo/", "/async/handler/echo/"]


def lines(log, mark, words):
    return re.findall(rf"^.*dwebsocket\.connection: WebSocket {words}: .*$", log.text(mark), re.M)


@pytest.mark.parametrize("path", PATHS)
def test_one_line_at_the_open_and_one_at_the_end(server, row, new_client, address, path):
    if not row.coroutines and path.startswith("/async/"):
        pytest.skip("coroutines do not run here")
    mark = server.log.mark()
    client = new_client()
    client.open(address(path))
    about = {"path": path, "user": "-", "address": ADDRESS}
    server.log.wait_for(OPENED.format(**about), since=mark)
    for text in ("one", "two", "three"):
        client.send_text(text)
        assert client.read_text() == text
    assert not lines(server.log, mark, "ended")
    client.send_close(1001)
    client.read_to_eof()
    code = row.heard(1001)[0]
    server.log.wait_for(ENDED.format(**about, code=code, received="3 messages"), since=mark)
    assert len(lines(server.log, mark, "(?:opened|ended)")) == 2
