"""The transport is chosen by the socket's own type."""

import socket

from dwebsocket.transports import Transport, create_transport, threads


def test_each_kind_has_its_own(pair):
    name = pair.kind.partition("-")[0]
    assert type(pair.transport).__module__ == f"dwebsocket.transports.{name}"
    assert type(pair.transport).__name__ == ("TLSTransport" if pair.is_tls else "PlainTransport")
    assert isinstance(pair.transport, Transport)


def test_a_platform_without_msg_dontwait(monkeypatch):
    monkeypatch.delattr(socket, "MSG_DONTWAIT")  # Windows
    ours, peer = socket.socketpair()
    with ours, peer:
        transport = create_transport(ours)
        assert type(transport) is threads.TriedPlainTransport
        assert transport.try_receive() is None
        peer.sendall(b"data")
        assert transport.receive() == (b"data", 4)
        transport.send(b"answer", None)
        assert peer.recv(100) == b"answer"


def test_descriptor(pair):
    assert pair.transport.fileno() == pair.transport.sock.fileno() > 0
    pair.transport.sock.close()
    assert pair.transport.fileno() == -1
