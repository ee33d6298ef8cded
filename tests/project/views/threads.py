"""Threads: those that a view starts and sends from, and its own, which it keeps."""

import threading
import time

from dwebsocket import require_websocket

from ..journal import recorded

SIZE = 100_000
COUNT = 10


@require_websocket
@recorded
def one_thread(request):
    thread = threading.Thread(target=request.websocket.send, args=("from a thread",))
    thread.start()
    thread.join()
    for message in request.websocket:
        request.websocket.send(message)


@require_websocket
@recorded
def two_threads(request):
    def send_many(letter):
        for _ in range(COUNT):
            request.websocket.send(letter * SIZE)

    threads = [threading.Thread(target=send_many, args=(letter,)) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@require_websocket
def sleeping(request, name):
    """Never asks whether its client is there."""
    while True:
        time.sleep(0.5)
