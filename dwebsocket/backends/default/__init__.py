"""The raw-socket backend: WSGI servers that let go of the socket of a request."""
