"""A session is its own client's: by user, by page, and by address."""

import pytest

from ..engine_client import EngineClient

ELSEWHERE = {"Origin": "https://elsewhere.test"}
TRUSTED = {"Origin": "https://trusted.test"}


@pytest.fixture
def ada(session_key):
    return {"Cookie": f"sessionid={session_key}"}


def check_refused(engine, headers, status):
    """Nobody with these headers gets at the session, by whatever request."""
    for method, body, query in [
        ("GET", None, {}),
        ("GET", None, {"received": 0}),
        ("POST", b"4mine", {}),
    ]:
        client = engine.ask(method, body, headers=headers.items(), sid=engine.sid, **query)
        response = client.read_response()
        assert response.status == status, (method, query, response)
    engine.headers, own = headers, engine.headers
    try:
        with pytest.raises(AssertionError, match=f"HTTP/1.1 {status}"):
            engine.dial(sid=engine.sid, received=0)
    finally:
        engine.headers = own


def check_goes_on(engine):
    engine.post("4own")
    engine.poll_until(len(engine.got) + 1)
    assert engine.got[-1] == "4own"


@pytest.mark.parametrize("headers", [{"Cookie": "sessionid=another"}, {"Cookie": None}])
def test_a_user_has_it_alone(new_engine, ada, headers):
    engine = new_engine("/echo/", resume=True, headers=ada.items())
    engine.open_polls()
    check_refused(engine, headers, 403)
    check_goes_on(engine)


def test_who_has_logged_out_is_refused_by_the_view_itself(new_engine, ada):
    engine = new_engine("/placing/login/", resume=True, headers=ada.items())
    engine.open_polls()
    engine.headers = {}
    assert engine.request(sid=engine.sid).status == 302
    engine.headers = dict(ada)
    engine.post("4still")
    assert engine.poll_until(2) == ["4ada", "4still"]


def test_nobody_in_particular_needs_the_same_cookie(new_engine):
    engine = new_engine("/echo/", resume=True, headers=[("Cookie", "sessionid=none")])
    engine.open_polls()
    check_refused(engine, {"Cookie": "sessionid=other"}, 403)
    check_goes_on(engine)


def test_another_page_is_refused(new_engine):
    engine = new_engine("/echo/", resume=True)
    engine.open_polls()
    check_refused(engine, ELSEWHERE, 403)
    assert engine.ask(headers=ELSEWHERE.items()).read_response().status == 403
    check_goes_on(engine)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_that_does_not_say_where_it_is_from(new_engine, site):
    engine = new_engine("/echo/", resume=True)
    headers = {"Sec-Fetch-Site": site}
    assert engine.ask(headers=headers.items()).read_response().status == 403
    headers["Sec-Fetch-Site"] = "same-origin"
    assert engine.ask(headers=headers.items()).read_response().status == 200


def test_a_page_that_may_connect_can_read_the_answers(new_engine):
    engine = new_engine("/echo/", headers=TRUSTED.items())
    preflight = engine.request("OPTIONS")
    assert (preflight.status, preflight.headers["access-control-max-age"]) == (204, "600")
    opened = engine.request()
    engine.take(opened.body)
    posted = engine.request("POST", b"4hello", sid=engine.sid)
    refused = engine.request(sid="none")
    assert [opened.status, posted.status, refused.status] == [200, 200, 400]
    for response in [preflight, opened, posted, refused]:
        assert response.headers["access-control-allow-origin"] == TRUSTED["Origin"]
        assert response.headers["access-control-allow-credentials"] == "true"
        assert "Origin" in response.headers["vary"]


def test_at_another_address_it_is_unknown(server, new_engine):
    engine = new_engine("/echo/")
    engine.open_polls()
    other = EngineClient(server, "/handler/echo/?case=engineio-other")
    response = other.request(sid=engine.sid)
    other.hang_up()
    assert (response.status, response.body) == (400, b'{"code":1,"message":"Session ID unknown"}')
    check_goes_on(engine)


@pytest.mark.parametrize("path", ["/plain/", "/placing/get/", "/placing/unmarked/"])
def test_no_other_view_takes_a_post_without_a_token(server, path):
    engine = EngineClient(server, path)
    response = engine.request("POST", b"4hello", sid="any")
    engine.hang_up()
    assert response.status == 403
    assert b"CSRF" in response.body


def test_nor_does_a_view_of_ours_from_another_page(new_engine):
    engine = new_engine("/echo/")
    response = engine.ask("POST", b"4x", headers=ELSEWHERE.items(), sid="any").read_response()
    assert (response.status, b"CSRF" in response.body) == (403, True)
