"""A socket of the page's script, driven from here, and what is answered to it."""

import json

OPEN = {"upgrades": ["websocket"], "pingInterval": 25_000, "pingTimeout": 20_000, "resume": 30}
RS = "\x1e"

#: Makes a socket whose events are told to `events`, and what they say.
MAKE = """([url, protocols, options]) => {
  window.events = [];
  window.socket = new DWebSocket(url, protocols, options);
  socket.binaryType = "arraybuffer";
  const tell = (...what) => events.push(what);
  socket.onconnecting = ({ attempt, delay }) => tell("connecting", attempt, delay > 0);
  socket.onopen = ({ resumed }) => tell("open", resumed, socket.transport);
  socket.onmessage = ({ data }) =>
    tell("message", typeof data === "string" ? data : [...new Uint8Array(data)]);
  socket.onerror = () => tell("error");
  socket.onclose = ({ code, reason, wasClean, status }) =>
    tell("close", code, reason, wasClean, status ?? null);
}"""


def opening(sid="first", **more):
    return "0" + json.dumps({"sid": sid, "maxPayload": 1_000_000, **OPEN, **more})


class Driver:
    """A page's socket, and the peer it talks to."""

    def __init__(self, page, peer):
        self.page, self.peer = page, peer

    def make(self, protocols=(), **options):
        self.page.evaluate(MAKE, [f"{self.peer.path}?page=1", list(protocols), options])
        return self

    def run(self, script, argument=None):
        return self.page.evaluate(script, argument)

    def event(self):
        """The next one."""
        self.page.wait_for_function("events.length")
        return self.page.evaluate("events.shift()")

    def take(self, *, websocket=True):
        return self.peer.take(websocket=websocket)

    def open(self, sid="first", **more):
        websocket = self.take().accept()
        websocket.send(opening(sid, **more))
        return websocket

    def open_probed(self, sid="first", **more):
        """→ the poll that waits, and the request for a WebSocket beside it, which comes at once."""
        self.take(websocket=False).answer(opening(sid, **more))
        return sorted([self.peer.next(), self.peer.next()], key=lambda asked: asked.is_websocket)

    def open_polling(self, sid="first", **more):
        """→ the poll that waits."""
        self.take(websocket=False).answer(opening(sid, **more))
        return self.take(websocket=False)
