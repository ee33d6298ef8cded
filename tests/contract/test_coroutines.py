"""Async views and handlers: on all servers but those where greenlets share a thread."""

import pytest


@pytest.mark.rows(coroutines=False)
@pytest.mark.parametrize("path", ["/echo/async/", "/handler/async/"])
def test_refused_with_greenlets(server, new_client, address, path):
    client = new_client()
    client.send_request(address(path))
    response = client.read_response()
    assert response.status == 501
    assert b"an async view or handler needs a thread" in response.body
    assert b"'def' instead of 'async def'" in response.body


@pytest.mark.rows(pages=True)
@pytest.mark.rows(coroutines=True, concurrent=True)
@pytest.mark.parametrize("path", ["/echo/async/", "/handler/async/"])
def test_side_by_side(server, new_client, open_websocket, path):
    clients = [open_websocket(path) for _ in range(3)]
    for _ in range(2):
        for number, client in enumerate(clients):
            client.send_text(str(number))
        assert [client.read_text() for client in clients] == ["0", "1", "2"]
    http = new_client()
    http.send_request("/plain/", websocket=False)
    assert http.read_response().status == 200


@pytest.mark.rows(coroutines=True)
def test_async_handler(server, open_websocket, journal, case):
    client = open_websocket("/handler/async/")
    client.send_text("a")
    assert client.read_text() == "a"
    client.send_text("ask")
    assert client.read_text() == "counted True"
    client.send_close(4001)
    client.read_to_eof()
    ended = journal.wait(case, "ended")
    assert (ended["outcome"], ended["counted"]) == ("on_close", True)


@pytest.mark.rows(coroutines=True)
def test_a_client_who_vanishes_from_an_async_handler(server, open_websocket, journal, case):
    client = open_websocket("/handler/async/")
    client.send_text("a")
    assert client.read_text() == "a"
    client.hang_up()
    assert journal.wait(case, "ended")["outcome"] == "on_close"
