"""A certificate for 127.0.0.1, and a client context that trusts it."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

from .tls import share


@dataclass(frozen=True)
class Certificates:
    certificate: Path
    key: Path
    authority: Path
    client_context: ssl.SSLContext


def make_certificates(directory, *names, **options):
    """For these names, or for this machine."""
    authority = trustme.CA()
    issued = authority.issue_cert(*(names or ("127.0.0.1", "localhost")), **options)
    certificate, key = directory / "server.pem", directory / "server.key"
    authority_path = directory / "authority.pem"
    authority.cert_pem.write_to_path(authority_path)
    certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    context = share(ssl.create_default_context())
    authority.configure_trust(context)
    return Certificates(certificate, key, authority_path, context)
