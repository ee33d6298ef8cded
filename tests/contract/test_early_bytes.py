"""Frames that the client sent behind its handshake, before it saw the 101."""

import pytest

from ..raw_client import BINARY, TEXT, Frame, build_close, build_frame

pytestmark = pytest.mark.rows(early_bytes=True)


@pytest.mark.elsewhere(mount="")
@pytest.mark.parametrize("mount", ["", "/middleware-last"])
def test_frames_in_the_packet_of_the_handshake(server, open_websocket, mount, echo):
    early = b"".join(build_frame(TEXT, f"early {i}") for i in range(30))
    client = open_websocket(mount + echo.path, early=early)
    assert [client.read_text() for _ in range(30)] == [f"early {i}" for i in range(30)]
    client.send_text("later")
    assert client.read_text() == "later"


@pytest.mark.elsewhere(cut=2)
@pytest.mark.parametrize("cut", [1, 2, 5, 8])
def test_half_a_frame_in_the_packet_of_the_handshake(server, open_websocket, cut, echo):
    frame = build_frame(TEXT, "half")
    client = open_websocket(echo.path, early=build_frame(TEXT, "whole") + frame[:cut])
    assert client.read_text() == "whole"
    client.send_bytes(frame[cut:])
    assert client.read_text() == "half"


def test_200_kilobytes_behind_the_handshake(server, open_websocket, echo):
    payload = bytes(range(256)) * 800
    client = open_websocket(echo.path, early=build_frame(BINARY, payload))
    assert client.read_frame() == Frame(BINARY, payload)


def test_early_close(server, open_websocket, journal, case, echo):
    client = open_websocket(echo.path, early=build_frame(TEXT, "bye") + build_close(4001))
    assert client.read_text() == "bye"
    assert client.read_close().close_code == 4001
    assert client.read_to_eof() == b""
    assert journal.wait(case, "ended")["close_code"] == 4001
