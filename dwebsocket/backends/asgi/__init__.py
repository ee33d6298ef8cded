"""WebSockets of ASGI servers, which have the socket and the protocol to themselves.

One class, put together from parts, each of which derives from the one before it::

    BaseWebSocket       what a view can do
    QueueingWebSocket   what waits to be sent, put there from any thread
    SendingWebSocket    hands it to the server, in the event loop
    ReceivingWebSocket  what comes, for threads and for coroutines
    AsgiWebSocket       its beginning, who uses it, and its end
"""
