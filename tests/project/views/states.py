"""WebSockets that say what state they are in, to their own view and to whoever asks by HTTP.

A client commands: "look", "close" (by ourselves), "flood" (a group sends until the reader is a slow
one). After each command, and at the end, the view reports its WebSocket's state.
"""

import os

from django.http import HttpResponse, JsonResponse

from dwebsocket import ConnectionClosed, Group, WebSocketHandler, require_websocket
from dwebsocket.exceptions import InvalidState

from ..journal import record

#: Our own Close.
CODE, REASON = 4001, "over"
PIECE = "x" * 65536
#: More than any server and any system keep for one who reads nothing.
MAX_PIECES = 1000

#: By case, until somebody asks.
subjects = {}


class Subject:
    """A WebSocket, in a group of its own."""

    def __init__(self, request):
        self.request = request
        self.websocket = request.websocket
        self.group = Group(f"states-{request.GET['case']}")
        subjects[request.GET["case"]] = self
        record(request, "started", pid=os.getpid())

    def join(self):
        self.group.add(self.websocket)

    def find_state(self):
        """All that there is to be asked, at one moment; sending comes last, for it may notice."""
        websocket = self.websocket
        return {
            "closed": websocket.closed,
            "connected": websocket.connected,
            "code": websocket.close_code,
            "reason": websocket.close_reason,
            "is_member": websocket in self.group,
            "send": attempt(websocket.send, "sent"),
        }

    def tell(self, event, **details):
        record(self.request, event, state=self.find_state(), **details)

    def flood(self):
        """Never waits, and stops as soon as the end is decided."""
        for _ in range(MAX_PIECES):
            if self.websocket.close_code is not None:
                break
            self.group.send(PIECE)


def describe(error):
    if isinstance(error, ConnectionClosed):
        return ["ConnectionClosed", error.code, error.reason]
    return [type(error).__name__]


def attempt(function, *args):
    """What the call returns, or how it fails."""
    try:
        return function(*args)
    except (ConnectionClosed, InvalidState, TimeoutError) as error:
        return describe(error)


async def aattempt(function, *args):
    try:
        return await function(*args)
    except (ConnectionClosed, InvalidState, TimeoutError) as error:
        return describe(error)


@require_websocket
def view(request):
    subject, websocket = Subject(request), request.websocket
    subject.join()
    while (message := websocket.wait()) is not None:
        if message == "close":
            websocket.close(CODE, REASON)
        elif message == "flood":
            subject.flood()
        subject.tell("looked")
    subject.tell("ended", received=attempt(websocket.wait))


@require_websocket
async def coroutine(request):
    subject, websocket = Subject(request), request.websocket
    subject.join()
    while (message := await websocket.areceive()) is not None:
        if message == "close":
            await websocket.aclose(CODE, REASON)
        elif message == "flood":
            subject.flood()
        subject.tell("looked")
    subject.tell("ended", received=await aattempt(websocket.areceive))


class Handler(WebSocketHandler):
    def on_open(self):
        self.subject = Subject(self.request)
        self.subject.join()

    def on_message(self, message):
        if message == "close":
            self.close(CODE, REASON)
        elif message == "flood":
            self.subject.flood()
        self.subject.tell("looked")

    def on_close(self):
        self.subject.tell("ended")


class AsyncHandler(WebSocketHandler):
    async def on_open(self):
        self.subject = Subject(self.request)
        self.subject.join()

    async def on_message(self, message):
        if message == "close":
            await self.close(CODE, REASON)
        elif message == "flood":
            self.subject.flood()
        self.subject.tell("looked")

    async def on_close(self):
        self.subject.tell("ended")


@require_websocket(auto_accept=False)
def accepting(request):
    """Fails to accept, then does so, or refuses with ?refuse=1."""
    subject, websocket = Subject(request), request.websocket
    subject.tell("before", received=attempt(websocket.wait, 0))
    try:
        websocket.accept(headers={"Upgrade": "twice"})
    except ValueError:
        subject.tell("failed", received=attempt(websocket.wait, 0))
    if "refuse" in request.GET:
        return HttpResponse("refused", status=403)
    websocket.accept()
    subject.join()
    subject.tell("accepted")
    return None


@require_websocket(auto_accept=False)
async def accepting_coroutine(request):
    subject, websocket = Subject(request), request.websocket
    subject.tell("before", received=await aattempt(websocket.areceive, 0))
    try:
        websocket.accept(headers={"Upgrade": "twice"})
    except ValueError:
        subject.tell("failed", received=await aattempt(websocket.areceive, 0))
    if "refuse" in request.GET:
        return HttpResponse("refused", status=403)
    websocket.accept()
    subject.join()
    subject.tell("accepted")
    return None


def ask(request):
    """The state of a case's WebSocket, by plain HTTP; once."""
    return JsonResponse(subjects.pop(request.GET["case"]).find_state())
