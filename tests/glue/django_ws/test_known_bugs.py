"""What was wrong with django-ws 1.0, case by case.

Elsewhere: arguments and unknown addresses (``test_urls``), what is no JSON, what is binary or
empty, closing from a task, ``connected``, subprotocols, refusals, origins and plain middleware
(``test_async_handlers``), and loops that wake up for nothing (``test_tasks``).
"""

import pytest

from dwebsocket import WebSocketHandler

from ...raw_client import PING, PONG, RawClient
from ...servers.rows import asgi


class ServerError(Exception):
    """Each server has its own, and not all are an OSError."""


@pytest.mark.parametrize("error", [ServerError, ConnectionResetError, RuntimeError])
@pytest.mark.parametrize("where", ["send", "receive"])
def test_a_server_that_raises(serve, reports, caplog, error, where):
    """However the server says so, the connection is lost: no more and no less."""

    class Pushing(WebSocketHandler):
        async def on_message(self, message):
            for number in range(100):
                await self.send(str(number))

        async def on_error(self, error):
            reports(error)

        async def on_close(self):
            reports(("close", self.websocket.close_code))

    client = serve(Pushing.as_view())
    application = client.application

    async def failing_application(scope, receive, send):
        async def fail_to_send(event):
            if where == "send" and event.get("text") == "3":
                raise error("gone")
            await send(event)

        async def fail_to_receive():
            event = await receive()
            if where == "receive" and event.get("text") == "fail":
                raise error("gone")
            return event

        await application(scope, fail_to_receive, fail_to_send)

    client.application = failing_application
    session = client.websocket("/")
    session.send("go" if where == "send" else "fail")
    assert reports.next() == ("close", 1006)
    session.join()
    assert reports.all() == []
    assert caplog.records == []


@pytest.fixture
def quick_server(start_server):
    """A server that pings silent clients often, with the site of the contract suite."""
    arguments = ("uvicorn", "--host", "127.0.0.1", "--port", "0")
    settings = {"WEBSOCKET_PING_INTERVAL": 0.2, "WEBSOCKET_PING_TIMEOUT": 0.3}
    server = start_server(asgi("uvicorn", *arguments), settings)
    yield server
    server.stop()


def test_silent_clients_are_pinged_by_the_protocol(quick_server, journal):
    """A client that answers stays, one that does not is dropped."""
    client, silent = RawClient(quick_server), RawClient(quick_server)
    client.open("/echo/async/?case=glue:answering")
    silent.open("/echo/async/?case=glue:silent")
    for _ in range(3):
        frame = client.read_frame()
        assert frame.opcode == PING
        client.send_frame(PONG, frame.payload)
    journal.wait("glue:silent", "ended")
    assert not journal.events("glue:answering", "ended")
    client.hang_up()
    silent.hang_up()
    journal.wait("glue:answering", "ended")
    assert not quick_server.log.find_faults(), quick_server.log.text()
