"""WEBSOCKET_LEGACY = True: the ways of dwebsocket 0.5, each beside today's."""

import pytest

from dwebsocket import ConnectionClosed, require_websocket
from dwebsocket.backends.default.websocket import DefaultWebSocket
from dwebsocket.legacy import legacy_class

from ..raw_client import BINARY, TEXT

both = pytest.mark.parametrize("legacy", [True, False])


@both
@pytest.mark.parametrize("how", ["wait", "read", "iterate"])
def test_text_arrives_as_bytes(site, reports, legacy, how):
    @require_websocket
    def view(request):
        websocket = request.websocket
        websocket.send("ready")
        for _ in range(2):
            if how == "wait":
                reports(websocket.wait())
            elif how == "iterate":
                reports(next(iter(websocket)))
            else:
                while (message := websocket.read()) is None:
                    pass
                reports(message)

    with site.serve(view, WEBSOCKET_LEGACY=legacy).websocket("/") as websocket:
        websocket.send("\u20ac")
        websocket.send(b"\xff")
    assert reports.all() == ["\u20ac".encode() if legacy else "\u20ac", b"\xff"]


@both
@pytest.mark.parametrize(
    ("sent", "old", "new"),
    [
        ("text", (TEXT, b"text"), (TEXT, b"text")),
        ("\u20ac", (TEXT, b"\xe2\x82\xac"), (TEXT, b"\xe2\x82\xac")),
        (b"text", (TEXT, b"text"), (BINARY, b"text")),
        (b"", (TEXT, b""), (BINARY, b"")),
        (bytearray(b"text"), (TEXT, b"text"), (BINARY, b"text")),
        (memoryview(b"text"), (TEXT, b"text"), (BINARY, b"text")),
        (b"\xff\xfe", (BINARY, b"\xff\xfe"), (BINARY, b"\xff\xfe")),
    ],
)
def test_what_is_sent(site, legacy, sent, old, new):
    @require_websocket
    def view(request):
        request.websocket.send(sent)

    site.serve(view, WEBSOCKET_LEGACY=legacy)
    frame = site.open().read_frame()
    assert (frame.opcode, frame.payload) == (old if legacy else new)


@both
def test_json_both_ways(site, reports, legacy):
    @require_websocket
    def view(request):
        request.websocket.send_json({"sum": sum(request.websocket.wait_json())})

    with site.serve(view, WEBSOCKET_LEGACY=legacy).websocket("/") as websocket:
        websocket.send_json([1, 2])
        assert websocket.receive_json() == {"sum": 3}


@both
def test_send_on_a_dead_connection(site, reports, legacy):
    @require_websocket
    def view(request):
        request.websocket.wait()
        try:
            reports(request.websocket.send("too late"))
            reports(request.websocket.send_json("too late"))
        except ConnectionClosed:
            reports("raised")

    site.serve(view, WEBSOCKET_LEGACY=legacy)
    client = site.open()
    client.send_close()
    client.read_to_eof()
    client.join()
    assert reports.all() == ([None, None] if legacy else ["raised"])


@both
def test_wrong_type_is_an_error_all_the_same(site, reports, legacy):
    @require_websocket
    def view(request):
        for wrong in (5, None, {}, ["x"]):
            with pytest.raises(TypeError, match=r"str .* or bytes"):
                request.websocket.send(wrong)
        reports("all refused")

    with site.serve(view, WEBSOCKET_LEGACY=legacy).websocket("/"):
        assert reports.next() == "all refused"


@both
@pytest.mark.parametrize("timeout", [0, 0.01])
def test_wait_that_times_out(site, reports, legacy, timeout):
    @require_websocket
    def view(request):
        try:
            reports(request.websocket.wait(timeout))
        except TimeoutError:
            reports("raised")

    with site.serve(view, WEBSOCKET_LEGACY=legacy).websocket("/"):
        assert reports.next() == (None if legacy else "raised")


@both
def test_iteration_ends(site, reports, legacy):
    @require_websocket
    def view(request):
        reports(list(request.websocket))

    with site.serve(view, WEBSOCKET_LEGACY=legacy).websocket("/") as websocket:
        websocket.send("a")
    assert reports.all() == [[b"a", None] if legacy else ["a"]]


@both
def test_reading_on_after_the_end_raises(site, reports, legacy):
    @require_websocket
    def view(request):
        reports(request.websocket.wait())
        for read in (request.websocket.wait, request.websocket.read):
            with pytest.raises(EOFError):
                read()
        reports("both raised")

    with site.serve(view, WEBSOCKET_LEGACY=legacy).websocket("/"):
        pass
    assert reports.all() == [None, "both raised"]


@both
def test_read_with_a_fallback(site, reports, legacy):
    @require_websocket
    def view(request):
        reports(request.websocket.read("nothing"))
        reports(request.websocket.read("\u20ac"))  # a fallback is not a message

    with site.serve(view, WEBSOCKET_LEGACY=legacy).websocket("/"):
        assert reports.next() == "nothing"
        assert reports.next() == "\u20ac"


def test_class_is_made_once_and_named():
    made = legacy_class(DefaultWebSocket)
    assert made is legacy_class(DefaultWebSocket)
    assert issubclass(made, DefaultWebSocket)
    assert made.__name__ == "LegacySocketWebSocket"


def test_setting_counts_per_request(site):
    @require_websocket
    def view(request):
        request.websocket.send(type(request.websocket).__name__)

    client = site.serve(view)
    with client.websocket("/") as websocket:
        assert websocket.receive() == "SocketWebSocket"
    site.change(WEBSOCKET_LEGACY=True)
    with client.websocket("/") as websocket:
        assert websocket.receive() == "LegacySocketWebSocket"
