"""Certificates that browsers do not trust, and ports that speak something else."""

from datetime import datetime, timedelta, timezone

import pytest

from ..servers.certificates import make_certificates
from .conftest import SETTINGS


def test_name_of_the_certificate(start_nginx, examine):
    address = ["wss://www.example.com/echo/", "--connect", f"localhost:{start_nginx()}"]
    settings = {**SETTINGS, "ALLOWED_HOSTS": ["*"]}
    report = examine(*address, settings=settings)
    name = report.marked("fault")[0]
    assert "tls: The certificate is not for www.example.com but for 127.0.0.1, localhost." in name
    assert "server_name" in name
    assert report.step("handshake"), "the rest of the way is looked at, too"


def test_a_certificate_that_nobody_trusts(start_nginx, examine, tmp_path):
    port = start_nginx(certificates=make_certificates(tmp_path))
    fault = examine(f"wss://localhost:{port}/echo/").fault
    assert "Browsers do not trust the certificate: unable to get local issuer" in fault
    assert "fullchain.pem" in fault


@pytest.mark.parametrize(("days", "mark"), [(-1, "fault"), (3, "warning")])
def test_a_certificate_that_ends(start_nginx, examine, tmp_path, days, mark):
    end = datetime.now(timezone.utc) + timedelta(days=days, hours=1)
    made = make_certificates(tmp_path, not_before=end - timedelta(days=90), not_after=end)
    address = f"wss://localhost:{start_nginx(certificates=made)}/echo/"
    report = examine(address, trusted=False, SSL_CERT_FILE=str(made.authority))
    (found,) = report.marked(mark)
    assert "tls: " in found
    assert "expired" in found or "good for 3 days" in found
    assert "Renew" in found


def test_tls_where_there_is_none(server, echo, examine):
    assert "Use ws://" in examine(f"wss://127.0.0.1:{server.port}/echo/").fault
    assert "Use wss://" in examine(echo().replace("wss", "ws")).fault
