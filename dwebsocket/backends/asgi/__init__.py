"""WebSockets of ASGI servers, which have the socket and the protocol to themselves."""
