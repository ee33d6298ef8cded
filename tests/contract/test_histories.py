"""Groups that keep messages, on every way of waiting: what was missed comes first, and nothing
twice.
"""

import json

import pytest

from ..servers.process import wait_until

pytestmark = [pytest.mark.rows(typical=True), pytest.mark.usefixtures("server")]

KINDS = ["view", "handler"]
kinds = pytest.mark.parametrize("kind", KINDS)


#: One for each way of waiting.
OF_MEMORY = ("gunicorn-gthread", "gevent-pywsgi", "eventlet", "uvicorn")


@pytest.fixture(params=["machine", "memory", "redis"])
def server(request, row):
    """Every backend that keeps messages keeps the same promises."""
    names = {
        "machine": "plain_server",
        "memory": "memory_server",
        "redis": "redis_backed_server",
    }
    if request.param == "memory" and row.name not in OF_MEMORY:
        pytest.skip("the machine's does the same, and sends to others besides")
    return request.getfixturevalue(names[request.param])


@pytest.fixture
def name(case):
    return case.replace(":", "-")


class Page:
    """A client, and the last position that it was told."""

    def __init__(self, client, since=None):
        self.client = client
        self.since = since

    def read(self):
        told = json.loads(self.client.read_text())
        self.since = told.get("position", self.since)
        return told

    def texts(self, count):
        found = [self.read() for _ in range(count)]
        assert all("data" in one for one in found), found
        return [one["data"] for one in found]


@pytest.fixture
def visit(open_websocket, name):
    """visit(kind, since=…) → a page that has read the first word."""

    def visit(kind="view", *, recovered=True, **query):
        more = "&".join(f"{key}={value}" for key, value in query.items() if value is not None)
        page = Page(open_websocket(f"/history/{kind}/{name}/?{more}"), query.get("since"))
        first = page.read()
        assert first["group"] == name
        assert first["recovered"] is recovered
        return page

    return visit


@pytest.fixture
def ask(new_client, server, address, name):
    def ask(what, query=""):
        client = new_client(server)
        path = address(f"/history/{what}/{name}/?{query}")
        client.send_request(path, websocket=False, headers={"Connection": "close"})
        return client.read_response().body.decode()

    return ask


@pytest.mark.rows(typical=[True, False], thorough=[True, False])
def test_a_page_that_breaks_and_comes_back(visit, ask):
    """On every row: the newest, then live, then what was missed, then live."""
    ask("send", "count=5")
    page = visit("view", newest=2)
    assert page.texts(2) == ["3", "4"]
    page.client.send_text("keep:live")
    assert page.texts(1) == ["live"]
    page.client.hang_up()
    ask("send", "first=10&count=3")
    back = visit("handler", since=page.since, newest=2)
    assert back.texts(3) == ["10", "11", "12"]
    ask("send", "first=20")
    assert back.texts(1) == ["20"]
    assert visit("view", since=back.since).since == back.since


@kinds
def test_more_than_is_kept(visit, ask, kind):
    page = visit(kind)
    ask("send", "count=120&size=50")
    assert page.texts(120) == [*map(str, range(120))]
    since = page.since
    ask("send", "count=51&size=50")
    back = visit(kind, since=since, newest=3, recovered=False)
    assert back.texts(3) == ["48", "49", "50"]
    assert visit(kind, since=since.replace(":", "x"), recovered=False).since == back.since


@kinds
def test_plain_members_and_what_is_not_kept(visit, open_websocket, ask, name, kind):
    page = visit(kind)
    page.client.send_text("keep:1")
    assert page.texts(1) == ["1"]
    since = page.since
    plain = open_websocket(f"/history/{kind}/{name}/?plain=1&newest=1")
    assert plain.read_text() == "1"
    page.client.send_text("drop:2")
    page.client.send_text("keep:3")
    assert page.texts(2) == ["2", "3"]
    assert [plain.read_text() for _ in range(2)] == ["2", "3"]
    assert visit(kind, since=since).texts(1) == ["3"]


def test_last_words(visit):
    """A handler's on_close sends to the group that it has just left, and others hear it."""
    stays = visit("view")
    leaves = visit("handler", last_words="bye")
    leaves.client.send_close()
    assert stays.texts(1) == ["bye"]
    assert visit("view", newest=1).texts(1) == ["bye"]


def test_history_over_http(visit, ask):
    ask("send", "count=3")
    recall = json.loads(ask("recall"))
    assert recall["messages"] == ["0", "1", "2"]
    ask("send", "first=3")
    assert json.loads(ask("recall", f"since={recall['position']}"))["messages"] == ["3"]
    assert visit("view", since=recall["position"]).texts(1) == ["3"]


@pytest.mark.rows(coroutines=True)
def test_coroutines(visit, ask):
    page = visit("coroutine")
    page.client.send_text("keep:1")
    assert page.texts(1) == ["1"]
    ask("send", "first=2&count=2")
    assert visit("coroutine", since=page.since).texts(2) == ["2", "3"]


def test_pages_that_come_while_others_send(visit, ask):
    """Each has all since its position, once."""
    first = visit("view")
    ask("send", "count=20")
    assert first.texts(20) == [*map(str, range(20))]
    pages = []
    for turn in range(10):
        first.client.send_text(f"keep:{20 + 2 * turn}")
        pages.append((turn, visit(KINDS[turn % 2], newest=1)))
        first.client.send_text(f"keep:{21 + 2 * turn}")
    assert first.texts(20) == [*map(str, range(20, 40))]
    for _, page in pages:
        text = page.texts(1)[0]
        rest = [*map(str, range(int(text) + 1, 40))]
        assert page.texts(len(rest)) == rest
    wait_until(lambda: json.loads(ask("recall"))["messages"][-1] == "39", "all are kept")
