"""WebSockets whose sockets are in another process, the gateway's front (``dwebsocket.gateway``)::

wire        the packets between the two: what they are in bytes
addresses   where the two meet, and with which keys
link        the two ZeroMQ sockets of this process, its heartbeat, what it acknowledges
leader      who reads from it, and calls handlers
flow        one connection, seen from here: what came and went, numbered
telling     a handler is told what has come, in a thread of its own if it has one
loop        the event loop of this process, for coroutines
websocket   ``request.websocket`` on these
requests    a handshake that the front has forwarded becomes a request of Django's
moving      what is given back to the front when this process ends
worker      all of it: what the front says, done
"""
