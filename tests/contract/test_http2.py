"""WebSockets over HTTP/2 (RFC 8441): hypercorn's, and through haproxy those of WSGI servers."""

import json
import time

import pytest

from ..hostile.measure import Meter
from ..http2_client import Http2Connection
from ..raw_client import CLOSE, TEXT, Frame
from .conftest import TUNED, check_and_stop, run

pytestmark = pytest.mark.rows(http2=True)

FLOODS = ["/flood/", "/handler/flood/", "/async/flood/", "/async/handler/flood/"]
CANCEL = 8


@pytest.fixture
def connect():
    """connect(server, window=…) → a connection, which hangs up at the end of the test."""
    connections = []

    def connect(server, **options):
        connections.append(Http2Connection(server, **options))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.hang_up()


@pytest.fixture
def connection(server, connect):
    return connect(server)


@pytest.fixture
def open_stream(connection, address):
    """Open a view or a handler in a stream of the test's connection."""

    def open_stream(path, of=None, *, reading=True, **request):
        client = (of or connection).new_client()
        client.reading = reading
        client.open(address(path), **request)
        return client

    return open_stream


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 1_000_000])
def test_echo(open_stream, echo, size):
    client = open_stream(echo.path)
    text = "é" * (size // 2)
    client.send_text(text)
    assert client.read_text() == text


def test_one_end_is_not_the_others(open_stream, echo, row, journal, case):
    """Two streams of one connection; one is closed or reset."""
    stays = open_stream(echo.path)
    for number, end in enumerate(("send_close", "reset")):
        goes = open_stream(echo.path)
        goes.send_text("going")
        assert goes.read_text() == "going"
        getattr(goes, end)()
        if end == "send_close":
            assert goes.read_close().close_code == row.answered(1000)
        journal.wait(case, "ended", count=number + 1)
        stays.send_text("staying")
        assert stays.read_text() == "staying"


def test_close_of_the_client(open_stream, echo, row, journal, case):
    client = open_stream(echo.path)
    client.send_close(4001, "done")
    assert client.read_close().close_code == row.answered(4001)
    ended = journal.wait(case, "ended")
    assert (ended["close_code"], ended["close_reason"]) == row.heard(4001, "done")


def test_close_of_a_view(open_stream):
    client = open_stream("/close/?code=4001&reason=enough")
    frame = client.read_close()
    assert (frame.close_code, frame.close_reason) == (4001, "enough")
    client.send_close(4001)
    assert client.read_to_eof() == b""


@pytest.mark.rows(asgi=True)
def test_a_client_that_does_not_answer_a_close(open_stream):
    """Its stream ends after WEBSOCKET_CLOSE_TIMEOUT, and nothing else."""
    other = open_stream("/echo/")
    client = open_stream("/close/?code=4001")
    assert client.read_close().close_code == 4001
    assert client.read_to_eof() == b""
    other.send_text("still here")
    assert other.read_text() == "still here"


@pytest.mark.parametrize("path", ["/ending/error/", "/handler/ending/message/raising/"])
def test_an_error(open_stream, path):
    client = open_stream(path)
    client.send_text("go on")
    while (frame := client.read_frame()).opcode != CLOSE:
        assert frame in (Frame(TEXT, b"hello"), Frame(TEXT, b"work"))
    assert frame.close_code == 1011


@pytest.mark.parametrize(
    ("path", "request_", "status"),
    [
        ("/echo/", {"headers": {"Origin": "http://evil.test"}}, 403),
        ("/handler/echo/", {"headers": {"Origin": "http://evil.test"}}, 403),
        ("/echo/", {"websocket": False}, 400),
        ("/nowhere/", {}, 404),
    ],
)
def test_refused(connection, open_stream, address, path, request_, status):
    other = open_stream("/echo/")
    client = connection.new_client()
    client.send_request(address(path), **request_)
    assert client.read_response().status == status
    other.send_text("after the refusal")
    assert other.read_text() == "after the refusal"


@pytest.mark.rows(asgi=True)
def test_a_view_that_knows_of_no_websockets(connection, address):
    """Its answer, 200, would accept the WebSocket."""
    client = connection.new_client()
    client.send_request(address("/plain/"))
    assert client.read_response().status == 403


def test_own_origin(connection, open_stream, row):
    # Django is not told by haproxy, as configured there, that TLS has ended.
    scheme = connection.scheme if row.asgi else "http"
    client = open_stream("/echo/", headers={"Origin": f"{scheme}://{connection.host}"})
    client.send_text("at home")
    assert client.read_text() == "at home"


def test_a_group(open_stream, case):
    name = case.rpartition(":")[2]
    members = [open_stream(f"/group/{kind}/{name}/") for kind in ("view", "handler")]
    for member in members:
        assert member.read_text().startswith("member ")
    members[0].send_text(json.dumps(["send", "to all"]))
    assert [member.read_text() for member in members] == ["to all"] * 2


@pytest.fixture(scope="session")
def waiting_server(row, start_server, journal):
    """It goes on to wait for who reads nothing where all stands still for a while."""
    process = run(start_server, row, {**TUNED, "WEBSOCKET_SEND_TIMEOUT": 4})
    yield process
    check_and_stop(process, journal)


@pytest.mark.rows(asgi=True)
@pytest.mark.parametrize("path", FLOODS)
def test_a_closed_window(waiting_server, connect, open_stream, journal, case, path):
    """Who sends to it waits, or is told that the reader is slow; its stream ends after
    WEBSOCKET_SEND_TIMEOUT, 4 seconds here, while the others of the connection go on.
    """
    connection = connect(waiting_server)
    other = open_stream("/echo/", connection)
    pid = journal.wait(case, "started")["pid"]
    client = open_stream(path, connection, reading=False)
    meter = Meter(pid)
    meter.record = lambda name, value: None
    turns = 0
    with meter.bounds(seconds=30, memory=24 << 20):
        if "handler" in path:
            client.send_text("20000000" if path.startswith("/handler") else "1000000000")
        deadline = time.monotonic() + 20
        while client.reset_code is None:
            assert time.monotonic() < deadline
            other.send_text("not in the way")
            assert other.read_text() == "not in the way"
            turns += 1
        ended = journal.wait(case, "ended")
    assert turns > 5  # in these seconds; who waits for it has one or two
    assert client.reset_code == CANCEL
    assert ended["close_code"] == 1006
    assert len(client.received) <= 65535


@pytest.mark.rows(asgi=True)
def test_a_window_that_opens_late(open_stream):
    """Nothing is lost of what has waited."""
    client = open_stream("/echo/", reading=False)
    text = "".join(f"{number:06}" for number in range(50_000))
    client.send_text(text)
    client.wait_for(65535)
    client.read_again()
    assert client.read_text() == text


@pytest.mark.rows(asgi=True)
def test_a_group_with_a_closed_window(server, connect, open_stream, journal, case):
    """The slow member is closed beyond WEBSOCKET_MAX_SEND_BUFFER; the other gets everything, for
    never as much waits for that.
    """
    path = f"/group/handler/{case.rpartition(':')[2]}/"
    slow = open_stream(path, reading=False)
    slow.read_text()
    quick = open_stream(path, connect(server, window=1 << 24))
    quick.read_text()
    for _ in range(3):
        quick.send_text(json.dumps(["send_many", 5, 100_000]))
        for number in range(5):
            assert quick.read_text().startswith(f"{number:06}")
    assert journal.wait(case, "ended")["close_code"] == 1013
    slow.read_to_eof()
    assert slow.reset_code == CANCEL
