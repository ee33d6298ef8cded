"""WebSockets of ASGI servers, which have the socket and the protocol to themselves.

A WebSocket (``websocket``) has these parts::

    outbox    what waits to be sent, put there from any thread; its bounds
    writer    calls the server's send, in the event loop
    reader    calls the server's receive, in the event loop
    inbox     what has come and was not read, for threads and for coroutines
    closing   how the connection ends
    serving   the server's call, which lasts until all has ended
    calls     a handler's, in threads

They know it, and each other, by the Protocols in ``parts``. ``connection`` is what the server gives
us; what the connections of one event loop share is in ``call_queue`` and ``turns``.
"""
