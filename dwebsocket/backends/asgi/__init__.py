"""WebSockets of ASGI servers.

``servers`` has those that let go of a connection, each in a file. It is taken with its descriptor
(``taking``), and is a WebSocket over a socket then; or it goes on in the event loop, where it has a
protocol of ours (``loop_protocol``, which ``keepalive`` looks after). A server that keeps the
connection has the protocol to itself. ``way`` decides, and ``refusing`` answers who is refused.

A WebSocket in the loop (``loop_websocket``), or one that its server keeps (``websocket``), has
these parts::

    outbox    what waits to be sent, put there from any thread; its bounds
    writer    calls the server's send, or the protocol's, in the event loop
    reader    calls the server's receive, in the event loop; loop_reader waits for the protocol
    inbox     what has come and was not read, for threads and for coroutines
    closing   how the connection ends
    serving   the server's call, which lasts until all has ended; or what comes after it
    calls     a handler's, in threads

They know it, and each other, by the Protocols in ``parts``. ``connection`` is what the server gives
us; what the connections of one event loop share is in ``call_queue`` and ``turns``.
"""
