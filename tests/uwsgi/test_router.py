"""uWSGI's router takes a half-closed connection for one that has ended."""

from ..raw_client import BINARY, build_frame
from ..servers.rows import ROWS

TURNS = 10


def test_close_reaches_a_client_that_is_still_sending(run_server, connect):
    """It sends more than all buffers on the way hold."""
    server = run_server(next(row for row in ROWS if row.name == "uwsgi-https"))
    refused = build_frame(BINARY, bytes(2_000_000), rsv=2)
    for _ in range(TURNS):
        client = connect(server, "/echo/")
        client.send_bytes(refused)
        assert client.read_close().close_code == 1002
        client.hang_up()
