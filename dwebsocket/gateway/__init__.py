"""The gateway: a process that holds the sockets, its front, and processes that run the handlers.

``manage.py run_wsserver`` starts them. The processes with the handlers can be replaced while every
connection stays open: ``docs/howto/gateway.md``. The front is made of::

    packets     the two ZeroMQ sockets of the front
    workers     the processes with handlers, as the front sees them
    websocket   a client's socket: ours, without a view
    connection  one client: what it has sent and nobody has worked on, and whose it is
    hub         all of them: who gets which connection, and what a packet does
    server      the port: tornado takes handshakes, and answers what is none
    processes   ``--multiprocess``: a process for each connection
    handlers    the ``WebSocketHandler`` of django-ws, whose ``on_open`` gets the first message
"""

from __future__ import annotations

from .handlers import WebSocketHandler

__all__ = ["WebSocketHandler"]
