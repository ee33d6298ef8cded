"""Two tabs of a real browser hear of what a form of one of them saves."""

import pytest
from playwright.sync_api import expect

RECONNECT = 60_000  # ms: the longest delay between two tries is 15 s, and a machine may be busy


@pytest.fixture(params=["runserver", "uvicorn"])
def server(request, start_example):
    return start_example(request.param)


@pytest.fixture
def open_tab(context, server):
    def open_tab():
        page = context.new_page()
        page.goto(f"{server.url}/notifications/")
        expect(page.get_by_role("status")).to_have_text("Connected")
        return page

    return open_tab


def texts(page):
    return page.locator(".notifications li span")


def notify(page, text, kind="News"):
    page.get_by_text(kind, exact=True).click()
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Notify").click()
    expect(page.get_by_label("Text", exact=True)).to_have_value("")


def test_both_tabs_hear_of_what_one_has_saved(open_tab, screenshot):
    ada, bob = open_tab(), open_tab()
    expect(ada.get_by_text("Nothing has happened yet.")).to_be_visible()
    notify(ada, "The lift is out of order", "Warning")
    notify(bob, "The backup is complete ✓", "Done")
    notify(ada, "<i>Lunch</i> is at noon")
    for page in (ada, bob):
        expect(texts(page)).to_have_text(
            ["<i>Lunch</i> is at noon", "The backup is complete ✓", "The lift is out of order"]
        )
        levels = page.locator(".notifications li").evaluate_all(
            "all => all.map(e => e.dataset.level)"
        )
        assert levels == ["info", "good", "warning"]
        expect(page.get_by_text("Nothing has happened yet.")).to_be_hidden()
        assert page.locator("i").count() == 0  # shown as text
    screenshot(ada, "notifications")


def test_who_comes_later_sees_what_was_and_nothing_twice(open_tab, server):
    ada = open_tab()
    notify(ada, "before")
    late = open_tab()
    expect(texts(late)).to_have_text(["before"])

    server.stop()
    expect(ada.get_by_role("status")).to_have_text("Connection lost")
    server.start()
    for page in (ada, late):
        expect(page.get_by_role("status")).to_have_text("Connected", timeout=RECONNECT)
    notify(late, "after")
    for page in (ada, late):
        expect(texts(page)).to_have_text(["after", "before"])


def test_what_the_form_refuses_is_said_and_kept(open_tab):
    page = open_tab()
    text = page.get_by_label("Text", exact=True)
    text.evaluate("input => input.removeAttribute('maxlength')")
    text.fill("x" * 201)
    page.get_by_role("button", name="Notify").click()
    expect(page.get_by_role("alert")).to_have_text("The server did not take it (400).")
    expect(text).to_have_value("x" * 201)
    expect(texts(page)).to_have_count(0)
