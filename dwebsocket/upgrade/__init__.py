"""The life of one request: the handshake, the view or the handler, and how it ends."""
