"""RFC 6455: bytes in, messages out; messages in, bytes out.

The law of this package:

* It knows no socket, no clock, no thread and no Django. It is given bytes and returns bytes.
* It speaks the RFC's words: frame, opcode, payload, mask, fragment, opening and closing handshake.
* What a peer did wrong is a ``ProtocolError`` that carries the close code to answer with, or an
  ``InvalidHandshake`` that carries the HTTP status; our caller's mistakes are a ``ValueError``.

The way of a byte: ``ServerConnection.receive_data`` hands it to ``whole_frames`` (one flat loop for
the common case: whole, masked, unfragmented data frames) and all else to ``assembler``, which
takes frames apart piece by piece. ``frames`` holds the wire format, ``handshake`` the opening.
"""
