"""What a view puts into the session is saved when the view has ended, as middleware does it."""

import pytest

from ..servers.process import wait_until

pytestmark = pytest.mark.rows(pages=True, database=True)


@pytest.fixture
def read_session(new_client, address, session_key):
    """What plain HTTP finds in the session."""

    def read():
        client = new_client()
        headers = {"Cookie": f"sessionid={session_key}", "Connection": "close"}
        client.send_request(address("/holding/session/"), websocket=False, headers=headers)
        body = client.read_response().body.decode()
        client.hang_up()
        return body

    return read


@pytest.mark.elsewhere(mount="")
@pytest.mark.parametrize("mount", ["", "/middleware-last"])
def test_a_session_is_saved_at_the_views_end(
    row, new_client, address, session_key, read_session, case, mount
):
    client = new_client()
    client.open(
        address(f"{mount}/holding/session/"), headers={"Cookie": f"sessionid={session_key}"}
    )
    client.send_text(case)
    assert client.read_text() == "kept"
    if row.concurrent:
        assert read_session() != case
    client.send_close()
    client.read_close()
    client.read_to_eof()
    wait_until(lambda: read_session() == case, "the session is saved")
