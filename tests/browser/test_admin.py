"""The page "WebSockets" of Django's admin, in a real browser, with two processes behind it."""

import pytest
from playwright.sync_api import expect

from ..raw_client import RawClient
from ..servers.admin_site import AdminServer, make_database

LIST = "/admin/dwebsocket/connection/"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("admin")
    server = AdminServer(
        tmp_path_factory.mktemp("server"), make_database(directory / "database.sqlite3")
    )
    server.start()
    yield server
    server.stop_for_good()


@pytest.fixture
def connect(server):
    clients = []

    def connect(room):
        client = RawClient(server, timeout=20)
        clients.append(client)
        client.open(f"/chat/{room}/")
        client.read_text()
        return client

    yield connect
    for client in clients:
        client.hang_up()


@pytest.fixture
def enter(context, server):
    """Log in, and go where the admin's index leads."""

    def enter(name):
        page = context.new_page()
        page.on("console", lambda message: seen.append(message.text))
        page.goto(f"{server.url}/admin/")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill("secret")
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("link", name="WebSockets").last.click()
        return page

    seen = []
    yield enter
    refused = [text for text in seen if "Content Security Policy" in text]
    assert not refused, "scripts or styles stand in the page"


def rows(page):
    return page.locator("#result_list tbody tr")


def test_it_is_live_and_closes_what_was_chosen(enter, connect, screenshot):
    page = enter("closer")
    expect(rows(page)).to_have_count(0)
    client, other = connect("lounge"), connect("kitchen")
    expect(rows(page)).to_have_count(2)  # nobody has touched the page
    box = page.get_by_label("Select /chat/lounge/")
    box.check()
    connect("cellar")
    expect(rows(page)).to_have_count(3)
    expect(box).to_be_checked()  # after it was shown anew
    screenshot(page, "admin")
    page.get_by_role("button", name="Close selected WebSockets…").click()
    expect(page.get_by_text("These 1 WebSockets")).to_be_visible()
    page.get_by_label("Code:").fill("4007")
    page.get_by_label("Reason:").fill("enough")
    page.get_by_role("button", name="Yes, I").click()
    expect(page.get_by_text("1 closed.")).to_be_visible()
    frame = client.read_close()
    assert (frame.close_code, frame.close_reason) == (4007, "enough")
    expect(rows(page)).to_have_count(2)
    other.send_text("still here")


def test_filters_hold_while_it_is_live(enter, connect):
    page = enter("watcher")
    connect("lounge")
    page.get_by_label("Path:").fill("/chat/k*")
    page.get_by_role("button", name="Search").click()
    expect(rows(page)).to_have_count(0)
    connect("kitchen")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("/chat/kitchen/")
    expect(page.get_by_role("button", name="Close selected")).to_have_count(0)
    page.get_by_role("link", name="Clear all filters").click()
    expect(rows(page)).to_have_count(2)


def test_who_is_logged_out_meanwhile_is_told(enter, connect, context):
    page = enter("watcher")
    connect("lounge")
    expect(rows(page)).to_have_count(1)
    context.clear_cookies()
    expect(page.get_by_text("This list is not refreshed any more")).to_be_visible()
