"""What a server process wrote, line by line, and whether something in it is wrong."""

import re
import threading
import time

# A traceback ends with the first line that is not indented: the exception.
TRACEBACK = re.compile(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*(\S.*)", re.M)
# What views raise on purpose; Django logs PermissionDenied with its traceback, too.
DELIBERATE = (
    *("DeliberateError", "DeliberateExit", "PermissionDenied: must not reach the socket"),
    *(
        "DisallowedHost: Invalid HTTP_HOST header: 'no_name'",
        "accepting.manual_forget didn't return",
    ),
)
NEVER = (
    "Bad file descriptor",
    "Broken pipe",
    "BrokenPipeError",
    "Connection reset by peer",
    "ConnectionResetError",
    "Exception ignored",
    "Exception in thread",
    "ifespan",  # a server that says this word complains
    "Task exception was never retrieved",
    "Task was destroyed but it is pending",
    "was never awaited",
    "ResourceWarning",
)
# uWSGI's router says so of every client that resets its connection, whatever it carries.
ROUTER = re.compile(
    r"^\[uwsgi-http key: .* client_addr: .*\] hr_\w+\(\): (?:Connection reset by peer|Broken pipe)"
)
# granian says so of every client that vanishes.
GRANIAN = re.compile(r"^\[INFO\] Failed to close websocket with error")
# hypercorn cancels the task of each connection that is open at its end, and Python 3.11 asks such a
# task for its error.
HYPERCORN = re.compile(
    r"^ERROR asyncio: Exception in callback StreamReaderProtocol\.connection_made.*\nhandle: .*\n"
    r"Traceback \(most recent call last\):\n(?:[ \t].*\n)*asyncio\.exceptions\.CancelledError\n",
    re.M,
)
# uvicorn says so, with its traceback, of every client that sends text which is not UTF-8.
UVICORN = re.compile(
    r"^ERROR: +Invalid UTF-8 sequence received from client\.\n"
    r"Traceback \(most recent call last\):\n(?:[ \t].*\n)*UnicodeDecodeError: .*\n",
    re.M,
)
# gevent.pywsgi says so twice of a client that resets its connection in the middle of a request:
# when it reads that, and when it answers with 400. And so it does of one that leaves within the
# version of the request line, "HTTP/1".
PYWSGI = re.compile(
    r"^Traceback \(most recent call last\):\n(?:[ \t].*\n)*"
    r'[ \t].*/pywsgi\.py", line \d+, in '
    r"(?:read_request\n|handle\n +self\.socket\.sendall\(.*\n|_check_http_version\n)"
    r"(?:[ \t].*\n)*(?:ConnectionResetError|BrokenPipeError|IndexError): .*\n"
    r"(?:.*: Invalid request \(from |.* failed with BrokenPipeError).*\n",
    re.M,
)
# Our own words for a Redis that is gone say what the system said.
REDIS = "WARNING dwebsocket.groups: Redis at "
# Those for the end of a connection that broke say it as well.
BROKEN = re.compile(
    r"^(?:INFO dwebsocket\.connection: WebSocket ended: .*,"
    r'|(?:INFO django\.server:|\[.+?\]) "WEBSOCKET .*") code 1006 "'
)


class ServerLog:
    """Read a process's output in a thread, and let tests wait for what it says."""

    def __init__(self, stream):
        self._lines = []
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream):
        with stream:
            for line in stream:
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def mark(self):
        """The present end of the log, for `text(since=…)`."""
        with self._changed:
            return len(self._lines)

    def text(self, since=0):
        with self._changed:
            return "".join(self._lines[since:])

    def wait_for(self, pattern, since=0, timeout=10.0):
        """The first match of the pattern behind `since`; AssertionError when there is none."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                match = re.search(pattern, "".join(self._lines[since:]), re.M)
                if match:
                    return match
                remaining = deadline - time.monotonic()
                if remaining <= 0 or self._ended:
                    raise AssertionError(
                        f"the server did not write {pattern!r} in {timeout} s; its log:\n"
                        + "".join(self._lines[since:])
                    )
                self._changed.wait(remaining)

    def join(self, timeout=10.0):
        """Wait for the end of the output, after the process has ended."""
        self._thread.join(timeout)

    def find_faults(self, since=0):
        """Every line that a server's log must not hold."""
        text = self.text(since)
        for known in (HYPERCORN, UVICORN, PYWSGI):
            text = known.sub("", text)
        faults = [
            line
            for line in text.splitlines()
            if any(words in line for words in NEVER)
            and not ROUTER.match(line)
            and not GRANIAN.match(line)
            and not line.startswith(REDIS)
            and not BROKEN.match(line)
        ]
        for match in TRACEBACK.finditer(text):
            if not any(words in match[1] for words in DELIBERATE):
                faults.append(match[0])
        return faults
