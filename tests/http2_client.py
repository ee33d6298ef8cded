"""A WebSocket client over HTTP/2 (RFC 8441): each WebSocket is a stream of a connection.

What it reads and writes in a stream are the frames of ``raw_client``.
"""

import socket
import time

import h2.config
import h2.connection
import h2.events
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from .raw_client import RawClient, Response

#: Added to the window of the whole connection: what a stream does not take stops no other one.
WIDE = 1 << 30


class Http2Connection:
    """A TCP connection to a server, which must offer the extended CONNECT.

    Args:
        window: how many bytes of each stream the server may send before we take any.
    """

    def __init__(self, server, *, window=65535, timeout=10.0):
        self.host = f"{server.host}:{server.port}"
        self.timeout = timeout
        self.ended = False
        self.streams = {}
        self._socket = socket.create_connection((server.host, server.port), timeout)
        self.scheme = "http"
        if server.client_context is not None:
            self.scheme = "https"
            context = server.client_context  # which all clients share: others speak HTTP/1.1
            context.set_alpn_protocols(["h2"])
            try:
                self._socket = context.wrap_socket(self._socket, server_hostname=server.host)
            finally:
                context.set_alpn_protocols(["http/1.1"])
            assert self._socket.selected_alpn_protocol() == "h2"
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.state.initiate_connection()
        self.state.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.state.increment_flow_control_window(WIDE)
        self.flush()
        self._wait_for_settings()

    def _wait_for_settings(self):
        deadline = time.monotonic() + self.timeout
        offered = self.state.remote_settings
        while not offered.get(SettingCodes.ENABLE_CONNECT_PROTOCOL):
            assert self.pump(deadline), "the server does not offer the extended CONNECT"

    def new_client(self):
        """A stream of its own."""
        return Http2Client(self)

    def flush(self):
        self._socket.settimeout(self.timeout)
        self._socket.sendall(self.state.data_to_send())

    def pump(self, deadline):
        """Read once from the socket. False at the end of the connection."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("nothing more came")
        self._socket.settimeout(remaining)
        try:
            data = self._socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            self.ended = True
            return False
        for event in self.state.receive_data(data):
            stream = self.streams.get(getattr(event, "stream_id", None))
            if stream is not None:
                stream.take(event)
        self.flush()
        return True

    def hang_up(self):
        self._socket.close()


class Http2Client(RawClient):
    """One stream. ``reading`` is false while the server gets no further window for it.

    Attributes:
        reset_code: why the server has reset the stream, or None.
    """

    def __init__(self, connection):
        self.connection = connection
        self.host, self.timeout = connection.host, connection.timeout
        self.received = bytearray()
        self._position = 0
        self.stream_id = connection.state.get_next_available_stream_id()
        connection.streams[self.stream_id] = self
        self.reading = True
        self.reset_code = None
        self._unacknowledged = 0
        self._headers = None
        self._ended = False

    def take(self, event):
        """What has come for this stream."""
        if isinstance(event, h2.events.ResponseReceived):
            self._headers = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.received += event.data
            self._unacknowledged += event.flow_controlled_length
            if self.reading:
                self._open_window()
        elif isinstance(event, h2.events.StreamReset):
            self._ended, self.reset_code = True, event.error_code
        elif isinstance(event, h2.events.StreamEnded):
            self._ended = True

    def _open_window(self):
        state, taken = self.connection.state, self._unacknowledged
        self._unacknowledged = 0
        if taken and not self._ended:
            state.acknowledge_received_data(taken, self.stream_id)
            self.connection.flush()

    def read_again(self):
        """Give the server a window again."""
        self.reading = True
        self._open_window()

    # Sending

    def send_bytes(self, data, step=None):
        state, deadline = self.connection.state, time.monotonic() + self.timeout
        while data:
            room = min(
                state.local_flow_control_window(self.stream_id),
                step or state.max_outbound_frame_size,
            )
            if room > 0:
                state.send_data(self.stream_id, data[:room])
                self.connection.flush()
                data = data[room:]
            elif not self.connection.pump(deadline):
                raise EOFError("the server closed")

    def send_request(self, path, *, websocket=True, method=None, headers=()):
        fields = {":authority": self.host, ":scheme": self.connection.scheme, ":path": path}
        if websocket:
            fields = {":method": method or "CONNECT", ":protocol": "websocket", **fields}
            fields["sec-websocket-version"] = "13"
        else:
            fields = {":method": method or "GET", **fields}
        fields |= {name.lower(): value for name, value in dict(headers).items()}
        fields = [(name, value) for name, value in fields.items() if value is not None]
        self.connection.state.send_headers(self.stream_id, fields, end_stream=not websocket)
        self.connection.flush()

    def open(self, path, **request):
        self.send_request(path, **request)
        response = self.read_response()
        assert response.status == 200, response
        return response

    def end_stream(self):
        """Nothing more comes from us: what a FIN is in HTTP/1.1."""
        self.connection.state.end_stream(self.stream_id)
        self.connection.flush()

    # Reading

    def _fill(self, deadline):
        known = len(self.received), self._headers
        while not self._ended and not self.connection.ended:
            if known != (len(self.received), self._headers):
                return True
            self.connection.pump(deadline)
        return known != (len(self.received), self._headers)

    def wait_for(self, count):
        """Wait until so many bytes have come."""
        deadline = time.monotonic() + self.timeout
        while len(self.received) < count:
            if not self._fill(deadline):
                raise EOFError("the server closed")

    def read_response(self, timeout=None):
        """The head, of a refusal all of it."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while self._headers is None:
            if not self._fill(deadline):
                raise EOFError("the server closed")
        headers = dict(self._headers)
        status = int(headers.pop(":status"))
        body = b"" if status == 200 else self.read_to_eof(timeout)
        return Response(status, headers, b"", body)

    # Ending

    def hang_up(self):
        self.connection.hang_up()

    def reset(self):
        """RST_STREAM: what an RST is in HTTP/1.1."""
        self.connection.state.reset_stream(self.stream_id, ErrorCodes.CANCEL)
        self.connection.flush()
