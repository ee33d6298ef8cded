"""Talking to views and handlers that say what is there of what was set up for them."""

import json

__all__ = ["ask", "end"]


def ask(client):
    client.send_text("what is there?")
    return json.loads(client.read_text())


def end(client):
    client.send_close(1000)
    assert client.read_close().close_code == 1000
    client.read_to_eof()
