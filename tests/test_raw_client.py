"""The raw client against a WebSocket server that is not ours."""

import threading
from types import SimpleNamespace

import pytest
from websockets.sync.server import serve

from .raw_client import BINARY, CLOSE, CONT, PING, PONG, TEXT, Frame, RawClient, build_frame


def echo(connection):
    for message in connection:
        connection.send(message)


@pytest.fixture
def client():
    with serve(echo, "127.0.0.1", 0, compression=None, close_timeout=1) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        client = RawClient(SimpleNamespace(host="127.0.0.1", port=port, client_context=None))
        client.open("/")
        yield client
        client.hang_up()
        server.shutdown()
        thread.join(5)


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 100_000])
def test_frames_of_every_length(client, size):
    client.send_frame(BINARY, b"\x80" * size)
    assert client.read_frame() == Frame(BINARY, b"\x80" * size)


def test_fragments_and_pieces(client):
    client.send_bytes(
        build_frame(TEXT, "fra", fin=False) + build_frame(PING, b"?") + build_frame(CONT, "gment"),
        step=1,
    )
    assert client.read_frame() == Frame(PONG, b"?")
    assert client.read_text() == "fragment"


def test_forbidden_bytes_reach_the_server(client):
    client.send_frame(TEXT, "x", masked=False)
    assert client.read_close().close_code == 1002
    assert client.read_to_eof() == b""


def test_closing(client):
    client.send_close(4001, "Grüße")
    close = client.read_frame()
    assert (close.opcode, close.close_code, close.close_reason) == (CLOSE, 4001, "Grüße")
    assert client.read_to_eof() == b""


def test_deadline(client):
    with pytest.raises(TimeoutError, match="nothing more came"):
        client.read_frame(timeout=0.05)
