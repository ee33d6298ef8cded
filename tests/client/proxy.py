"""What stands between a page and its server, with the faults that networks have."""

import random
import socket
import struct
from contextlib import suppress
from threading import Lock, Thread

from ..raw_client import accept_key
from .peer import PAGE

RESET = struct.pack("ii", 1, 0)


class Connection:
    """One connection of the page, and the one to the server that belongs to it."""

    def __init__(self, browser):
        self.ends = [browser]

    def cut(self):
        """Neither side hears why."""
        for end in self.ends:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Proxy:
    """Serves the page with the script, and hands everything else on to the server at `port`.

    Attributes:
        upgrade: answers a request for a WebSocket in the place of the server, if set:
            upgrade(browser, head) → what goes to the server, or None.
        longest: how many bytes a connection carries at most before it is cut, at random.
        refuses: whether it cuts every connection at once.
        breaks: how often it has cut one that had carried enough.
        carried: the first request of every connection.
    """

    def __init__(self, port, script):
        self.port, self.script = port, script
        self.upgrade = None
        self.longest = None
        self.breaks = 0
        self.refuses = False
        self.carried = []
        self._lock = Lock()
        self._connections = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                browser, _ = self._listener.accept()
            except OSError:
                return
            Thread(target=self._serve, args=(browser,), daemon=True).start()

    def _serve(self, browser):
        connection = Connection(browser)
        with self._lock:
            self._connections.add(connection)
        try:
            with browser:
                self._talk(connection, browser)
        except OSError:
            pass
        finally:
            with self._lock:
                self._connections.discard(connection)

    def _talk(self, connection, browser):
        head = self._read_head(browser)
        path = head.split(b" ")[1] if head else b""
        if path in (b"/", b"/websocket.js"):
            body = PAGE if path == b"/" else self.script
            browser.sendall(answer(body, b"text/html" if path == b"/" else b"text/javascript"))
            return
        if self.refuses or not head:
            connection.cut()
            return
        self.carried.append(head)
        if self.upgrade and b"\r\nupgrade: websocket" in head.lower():
            head = self.upgrade(browser, head)
            if head is None:
                return
        with socket.create_connection(("127.0.0.1", self.port)) as server:
            connection.ends.append(server)
            server.sendall(head)
            self._pump(connection, browser, server)

    def _read_head(self, browser):
        head = b""
        while b"\r\n\r\n" not in head:
            data = browser.recv(65536)
            if not data:
                return b""
            head += data
        return head

    def _pump(self, connection, browser, server):
        limits = [None, None]
        if self.longest:
            limits = [random.randrange(1, self.longest) for _ in range(2)]
        back = Thread(target=self._copy, args=(connection, server, browser, limits[0]), daemon=True)
        back.start()
        self._copy(connection, browser, server, limits[1])
        back.join()

    def _copy(self, connection, source, target, limit):
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data if limit is None else data[:limit])
                if limit is not None:
                    limit -= len(data)
                    if limit <= 0:
                        self.breaks += 1
                        connection.cut()
                        return
            target.shutdown(socket.SHUT_WR)
            return
        connection.cut()

    def cut(self):
        """Break every connection that there is."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.cut()

    def stop(self):
        self.refuses = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()


def answer(body, content_type):
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    return head % (content_type, len(body)) + body


# Values of Proxy.upgrade.


def strip_upgrade(browser, head):
    """A proxy that does not know WebSockets: a plain GET arrives."""
    return b"\r\n".join(
        line
        for line in head.split(b"\r\n")
        if not line.lower().startswith((b"upgrade:", b"connection:"))
    )


def answer_200(browser, head):
    browser.sendall(answer(b"<h1>Welcome", b"text/html"))


def stay_silent(browser, head):
    """It opens, and nothing comes through."""
    lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n") if b": " in line)
    (key,) = [value for name, value in lines.items() if name.lower() == b"sec-websocket-key"]
    accept = accept_key(key.decode()).encode()
    browser.sendall(
        b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %s\r\n\r\n" % accept
    )
    with suppress(OSError):
        while browser.recv(65536):
            pass
