"""The certificate of the servers that are measured over TLS: made here, and handed to them."""

import os
from functools import cache
from pathlib import Path

DIRECTORY = Path(__file__).parents[1] / "build" / "bench"
CERTIFICATE, KEY = "BENCH_CERTIFICATE", "BENCH_KEY"


@cache
def environment() -> dict[str, str]:
    """What tells a server of it. ECDSA with P-256, as most certificates are by now."""
    import trustme  # only where something is measured over TLS

    issued = trustme.CA().issue_cert("127.0.0.1")
    certificate, key = DIRECTORY / "server.pem", DIRECTORY / "server.key"
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return {CERTIFICATE: str(certificate), KEY: str(key)}


def options(certificate: str = "certfile", key: str = "keyfile") -> dict[str, str]:
    """For a server, by its own names for them; none where it is to speak plain TCP."""
    if CERTIFICATE not in os.environ:
        return {}
    return {certificate: os.environ[CERTIFICATE], key: os.environ[KEY]}
