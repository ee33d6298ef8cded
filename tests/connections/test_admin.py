"""The page of the admin, its permissions, and the model without a table behind them."""

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request

import pytest

from ..raw_client import RawClient
from ..servers.admin_site import AdminServer, make_database, run_django
from ..servers.process import wait_until

LIST = "/admin/dwebsocket/connection/"


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return make_database(tmp_path_factory.mktemp("admin") / "database.sqlite3")


@pytest.fixture(scope="module")
def server(tmp_path_factory, database):
    server = AdminServer(tmp_path_factory.mktemp("server"), database)
    server.start()
    yield server
    server.stop_for_good()


class Visitor:
    """Somebody who is logged in at the admin."""

    def __init__(self, server, name):
        self.server = server
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        )
        form = {"username": name, "password": "secret", "next": "/admin/jsi18n/"}
        assert self.post("/admin/login/", form)[0] == 200

    def get(self, path):
        return self._send(path)

    def post(self, path, form, token=None):
        """With the token that a page had."""
        if token is None:
            page = self.get("/admin/login/")[1] if "login" in path else self.get(LIST)[1]
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        form = [*form.items()] if isinstance(form, dict) else form
        if token:
            form = [*form, ("csrfmiddlewaretoken", token[1])]
        return self._send(path, urllib.parse.urlencode(form).encode())

    def _send(self, path, data=None):
        request = urllib.request.Request(self.server.url + path, data)
        request.add_header("Referer", self.server.url)
        try:
            with self._opener.open(request, timeout=30) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@pytest.fixture
def visit(server):
    return lambda name: Visitor(server, name)


@pytest.fixture(scope="module")
def watcher(server):
    return Visitor(server, "watcher")


@pytest.fixture
def connect(server, watcher):
    """Open a connection; at its end a test waits until all of its own are gone."""
    clients = []

    def connect(room, **request):
        client = RawClient(server, timeout=20)
        clients.append(client)
        client.open(f"/chat/{room}/", **request)
        return client

    yield connect
    for client in clients:
        client.hang_up()
    wait_until(lambda: not ids_in(watcher.get(f"{LIST}rows/")[1]), "all have left", 30)


@pytest.fixture
def client(connect):
    client = connect("lounge")
    assert client.read_text() == "hello, you"
    return client


def ids_in(page):
    return re.findall(r'<tr data-id="([0-9a-f-]+)">', page)


def test_no_migration_is_missing_and_the_permissions_are_made(database):
    assert "No changes detected" in run_django(database, "makemigrations", "--check", "--dry-run")
    assert run_django(database, "migrate", "--check") == ""
    assert run_django(database, "check").startswith("System check identified no issues")
    code = (
        "from django.contrib.auth.models import Permission as P\n"
        "print(*P.objects.filter(content_type__app_label='dwebsocket')"
        ".values_list('codename', flat=True).order_by('codename'))"
    )
    found = run_django(database, "shell", "--verbosity", "0", "-c", code)
    assert found.split() == ["close_connection", "view_connection"]


def test_there_is_no_table_and_nobody_looks_for_one(database):
    assert '"dwebsocket.connection"' not in run_django(database, "dumpdata")
    assert "dwebsocket" not in run_django(database, "sqlmigrate", "admin", "0001")


@pytest.mark.parametrize("name", ["nobody", "blind"])
def test_who_may_not_see_them_sees_nothing(visit, client, name):
    visitor = visit(name)
    for path in (LIST, f"{LIST}rows/", f"{LIST}close/"):
        status, page = visitor.get(path)
        assert status == 403
        assert "/chat/lounge/" not in page
    assert visitor.get("/admin/")[1].count(LIST) == 0


def test_who_may_see_them_may_not_close_them(watcher, client):
    status, page = watcher.get(LIST)
    assert status == 200
    (found,) = ids_in(page)
    assert "action-select" not in page
    assert "Close selected" not in page
    form = {"id": found, "confirmed": "yes"}
    assert watcher.post(f"{LIST}close/", form)[0] == 403
    assert ids_in(watcher.get(f"{LIST}rows/")[1]) == [found]


def test_a_post_without_the_token_is_refused(visit, client):
    visitor = visit("closer")
    (found,) = ids_in(visitor.get(LIST)[1])
    status, _ = visitor.post(f"{LIST}close/", {"id": found, "confirmed": "yes"}, token=())
    assert status == 403
    assert ids_in(visitor.get(f"{LIST}rows/")[1]) == [found]


def test_closing_is_confirmed_and_logged(visit, client):
    visitor = visit("closer")
    (found,) = ids_in(visitor.get(LIST)[1])
    status, page = visitor.post(f"{LIST}close/", {"id": found})
    assert status == 200
    assert "Are you sure?" in page
    assert ids_in(visitor.get(f"{LIST}rows/")[1]) == [found]
    form = {"id": found, "confirmed": "yes", "code": "4005", "reason": "bye"}
    status, page = visitor.post(f"{LIST}close/", form)
    assert "1 closed." in page
    frame = client.read_close()
    assert (frame.close_code, frame.close_reason) == (4005, "bye")
    wait_until(lambda: not ids_in(visitor.get(f"{LIST}rows/")[1]), "it is gone")
    assert "/chat/lounge/, 127.0.0.1" in visitor.get("/admin/")[1]  # the recent actions


def test_a_code_that_cannot_be_sent_closes_nothing(visit, client):
    visitor = visit("closer")
    (found,) = ids_in(visitor.get(LIST)[1])
    for code in ("999", "many"):
        form = {"id": found, "confirmed": "yes", "code": code}
        assert code in visitor.post(f"{LIST}close/", form)[1]
    assert ids_in(visitor.get(f"{LIST}rows/")[1]) == [found]


def test_filters(watcher, client, connect):
    cookie = "; ".join(
        f"{one.name}={one.value}"
        for handler in watcher._opener.handlers
        for one in getattr(handler, "cookiejar", ())
    )
    other = connect("kitchen", headers={"Cookie": cookie})
    assert other.read_text() == "hello, watcher"
    for query in ("path=/chat/k*", "user=watcher", "group=kitchen"):
        page = watcher.get(f"{LIST}rows/?{query}")[1]
        assert len(ids_in(page)) == 1
        assert "/chat/kitchen/" in page
        assert "watcher" in page
    assert len(ids_in(watcher.get(LIST)[1])) == 2


def test_what_clients_choose_is_text(watcher, connect):
    assert connect("%3Cb%3Ebold").read_text() == "hello, you"
    page = watcher.get(LIST)[1]
    assert "&lt;b&gt;bold" in page
    assert "<b>bold" not in page
