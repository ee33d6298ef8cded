"""The way to the server: its name, a TCP connection, TLS."""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any

from .findings import Finding, fault, ok, warning
from .visit import Visit

__all__ = ["TIMEOUT", "Unreachable", "reach"]

#: Seconds for each step.
TIMEOUT = 10.0
#: Days before its end from which on a certificate should have been renewed.
SOON = 14
DAY = 24 * 60 * 60

#: What OpenSSL calls what is wrong with a certificate: what to do.
CURES = {
    10: "Renew the certificate.",
    18: "Have it signed by an authority that browsers know (Let's Encrypt, for one).",
    19: "Have it signed by an authority that browsers know. For one of your own set SSL_CERT_FILE.",
    20: "Serve the whole chain: nginx's ssl_certificate wants fullchain.pem, not cert.pem. For an "
    "authority of your own set SSL_CERT_FILE.",
}
NAME_MISMATCH = (62, 64)  # a name, an address


class Unreachable(Exception):
    """There is no way on."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text)
        self.finding = finding


def reach(visit: Visit, findings: list[Finding]) -> socket.socket:
    """A connection to the server of an address, ready for the handshake.

    A certificate that is wrong is a fault, behind which there is a way on.

    Args:
        findings: what is found on the way is added there.

    Raises:
        Unreachable: there is no way.
    """
    findings.append(resolve(visit))
    sock = connect(visit, findings)
    return encrypt(sock, visit, findings) if visit.uri.secure else sock


def resolve(visit: Visit) -> Finding:
    host, port = visit.endpoint
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unreachable(
            fault("dns", f"{host} is not known: {error.strerror}.", "Correct the name, or the DNS.")
        ) from error
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    if host in addresses:
        return ok("dns", f"{host} is an address.")
    return ok("dns", f"{host} is {', '.join(addresses)}.")


def connect(visit: Visit, findings: list[Finding]) -> socket.socket:
    host, port = visit.endpoint
    started = time.monotonic()
    try:
        sock = socket.create_connection((host, port), TIMEOUT)
    except OSError as error:
        raise Unreachable(
            fault(
                "tcp",
                f"Nothing answers at {host}, port {port}: {error.strerror or error}.",
                "Start the server or the proxy there, or open the port in the firewall.",
            )
        ) from error
    peer = sock.getpeername()[0]
    findings.append(ok("tcp", f"{peer}, port {port}, in {milliseconds(started)} ms."))
    return sock


def encrypt(sock: socket.socket, visit: Visit, findings: list[Finding]) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    try:
        secure = wrap(sock, context, visit)
    except ssl.SSLCertVerificationError as error:
        findings.append(explain(error, visit))
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return wrap(connect(visit, []), context, visit)
    findings.append(describe(secure))
    return secure


def wrap(sock: socket.socket, context: ssl.SSLContext, visit: Visit) -> ssl.SSLSocket:
    context.set_alpn_protocols(["http/1.1"])
    try:
        return context.wrap_socket(sock, server_hostname=visit.uri.host)
    except ssl.SSLCertVerificationError:
        sock.close()
        raise
    except OSError as error:
        sock.close()
        raise Unreachable(
            fault(
                "tls",
                f"There is no TLS at port {visit.endpoint[1]}: {error}.",
                "Use ws://, or have the proxy speak TLS there (nginx: listen … ssl).",
            )
        ) from error


def explain(error: ssl.SSLCertVerificationError, visit: Visit) -> Finding:
    """Why browsers do not trust this certificate."""
    if error.verify_code in NAME_MISMATCH:
        return fault(
            "tls",
            f"The certificate is not for {visit.uri.host}{list_names(visit)}.",
            "Use a name that it has, or serve one for this name (nginx: server_name and "
            "ssl_certificate of the same server block).",
        )
    return fault(
        "tls",
        f"Browsers do not trust the certificate: {error.verify_message}.",
        CURES.get(error.verify_code, "Serve another certificate."),
    )


def list_names(visit: Visit) -> str:
    """The names of a certificate that is good, but for another name."""
    context = ssl.create_default_context()
    context.check_hostname = False
    try:
        with wrap(connect(visit, []), context, visit) as secure:
            names = names_of(secure)
    except (OSError, Unreachable):
        return ""
    return f" but for {', '.join(names)}" if names else ""


def names_of(secure: ssl.SSLSocket) -> list[str]:
    certificate: Any = secure.getpeercert() or {}
    return [value for _, value in certificate.get("subjectAltName", ())]


def describe(secure: ssl.SSLSocket) -> Finding:
    certificate: Any = secure.getpeercert()
    days = int((ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) // DAY)
    names = ", ".join(names_of(secure))
    text = f"{secure.version()}, a certificate for {names}, good for {days} days."
    if days < SOON:
        return warning("tls", text, "Renew it; certbot renew does so by a timer.")
    return ok("tls", text)


def milliseconds(started: float) -> int:
    """Since a time of ``time.monotonic()``."""
    return round((time.monotonic() - started) * 1000)
