"""Views that look for a message without blocking, or not for long."""

import select
import time

from dwebsocket import ConnectionClosed, require_websocket
from dwebsocket.exceptions import InvalidState

from ..journal import record, recorded

#: Seconds; a client that stands still for a while is not late.
PATIENCE = 30


@require_websocket
@recorded
def wait_timeout(request):
    started = time.monotonic()
    try:
        request.websocket.wait(timeout=0.2)
    except TimeoutError:
        record(request, "timeout", seconds=time.monotonic() - started)
        request.websocket.send("timed out")
    request.websocket.send(request.websocket.wait(timeout=PATIENCE))
    first = request.websocket.wait(timeout=PATIENCE)
    try:
        request.websocket.wait(timeout=PATIENCE)
    except ConnectionClosed:
        record(request, "end", first=first, second="ConnectionClosed")


@require_websocket
async def wait_in_loop(request):
    try:
        request.websocket.wait()
    except InvalidState as error:
        await request.websocket.asend(str(error))
    await request.websocket.areceive()


@require_websocket
def read(request):
    """Each "now" is answered with what read() finds at that moment."""
    websocket = request.websocket
    while websocket.wait() == "now":
        started = time.monotonic()
        found = websocket.read("nothing")
        record(request, "read", found=found, seconds=time.monotonic() - started)
        websocket.send(found)


@require_websocket
@recorded
def read_to_the_end(request):
    """A polling loop without any other way out than ConnectionClosed."""
    found = []
    try:
        while True:
            message = request.websocket.read("nothing")
            if message != "nothing" or found[-1:] != ["nothing"]:
                found.append(message)
            time.sleep(0.01)
    finally:
        record(request, "found", found=found)


@require_websocket
def count(request):
    websocket = request.websocket
    websocket.send_json([websocket.has_messages(), websocket.count_messages()])
    give_up = time.monotonic() + PATIENCE
    while websocket.count_messages() < 3 and time.monotonic() < give_up:
        time.sleep(0.01)
    websocket.send_json([websocket.has_messages(), websocket.count_messages()])
    taken = [websocket.read() for _ in range(3)]
    websocket.send_json([websocket.has_messages(), websocket.count_messages(), *taken])
    websocket.send(websocket.wait())


@require_websocket
@recorded
def selecting(request):
    """The object beside other descriptors in select, as the documentation says."""
    websocket = request.websocket
    idle = select.select([websocket], [], [], 0.05)[0]
    websocket.send("idle" if not idle else "readable too early")
    answered = 0
    while answered < 3:
        while websocket.has_messages():
            websocket.send(websocket.read())
            answered += 1
        if websocket.close_code is not None:
            return
        if not select.select([websocket], [], [], PATIENCE)[0]:
            raise TimeoutError("select saw nothing")
