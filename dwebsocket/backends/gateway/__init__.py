"""WebSockets whose sockets are in another process, the gateway's front (``dwebsocket.gateway``)::

wire        the packets between the two: what they are in bytes
addresses   where the two meet, and with which keys
link        the two ZeroMQ sockets of this process, its heartbeat, what it acknowledges
flow        one connection, seen from here: what came and went, numbered
inbox       what has come and was not read, for threads and for coroutines
calls       where a handler's methods are called: a thread for all, or one for each connection
loop        the event loop of this process, for coroutines
websocket   ``request.websocket`` on these
requests    a handshake that the front has forwarded becomes a request of Django's
moving      what is given back to the front when this process ends
worker      all of it: what the front says, done
"""
