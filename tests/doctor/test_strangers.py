"""Servers that are none of ours, and answer anything: the doctor says so, and does not fail."""

import socket
import threading

import pytest

REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s"


def refused(body):
    return REFUSED % (len(body), body)


@pytest.fixture
def stranger():
    """Start one that gives one answer; its address."""
    listeners = []

    def start(answer):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        thread = threading.Thread(target=give, args=(listener, answer))
        thread.start()
        listeners.append(thread)
        return f"ws://127.0.0.1:{listener.getsockname()[1]}/"

    def give(listener, answer):
        connection, _ = listener.accept()
        with connection:
            received = b""
            while b"\r\n\r\n" not in received:
                received += connection.recv(65536)
            connection.sendall(answer)

    yield start
    for one in listeners:
        one.join(20) if isinstance(one, threading.Thread) else one.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "There is no answer of HTTP"),
        (b"SSH-2.0-OpenSSH\r\n", "There is no answer of HTTP"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "the answer is no good 101"),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", "there is no /"),
        (b"HTTP/1.1 418 Teapot\r\nContent-Length: 4\r\n\r\n\x1b[2J", "418"),
        (refused(b"Arrived: []"), "400"),
        (refused(b'Arrived: {"protocol": 1}'), "400"),
        (
            refused(
                b'Arrived: {"protocol": "", "scheme": "", "headers": {}, "secure_header": [1, 2]}'
            ),
            "400",
        ),
    ],
)
def test_an_answer(stranger, examine, answer, words):
    assert words in examine(stranger(answer)).fault


def test_an_answer_does_not_move_the_cursor(stranger, run_doctor):
    answer = b"HTTP/1.1 418 Teapot\r\nServer: \x1b[2J\r\nContent-Length: 5\r\n\r\n\x1b[31m"
    result = run_doctor(stranger(answer))
    assert "418" in result.stdout
    assert "\x1b" not in result.stdout
