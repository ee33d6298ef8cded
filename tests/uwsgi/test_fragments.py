"""uWSGI's own codec keeps the fragments of all clients in one place; ours must not."""

import os

import pytest

from ..raw_client import BINARY, CONT, Frame, build_frame
from ..servers.rows import ROWS

TURNS = int(os.environ.get("DWEBSOCKET_TEST_FRAGMENTS", "1000"))
ONE_PROCESS = ["uwsgi-threads", "uwsgi-gevent", "uwsgi-ugreen"]


@pytest.mark.parametrize("name", ONE_PROCESS)
def test_fragments_of_two_clients_never_mix(name, run_server, connect):
    server = run_server(next(row for row in ROWS if row.name == name))
    clients = {letter: connect(server, "/echo/") for letter in b"AB"}
    for turn in range(TURNS):
        size = 1 + turn % 300
        for fin, opcode in [(False, BINARY), (False, CONT), (True, CONT)]:
            for letter, client in clients.items():
                client.send_bytes(build_frame(opcode, bytes([letter]) * size, fin=fin))
        for letter, client in clients.items():
            assert client.read_past_pings() == Frame(BINARY, bytes([letter]) * size * 3)
