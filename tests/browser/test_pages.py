"""Every page of the examples, in a real browser, under WSGI and under ASGI."""

import re

import pytest
from playwright.sync_api import expect

CONNECT_TO_INDEX = """async () => {
  const { connect } = await import("/static/demo/connection.js");
  connect("/", { state: document.querySelector(".state") });
}"""


@pytest.fixture(scope="module", params=["gunicorn-gthread", "uvicorn"])
def server(request, start_example):
    return start_example(request.param)


def open_page(context, server, path):
    page = context.new_page()
    page.goto(server.url + path)
    expect(page.get_by_role("status")).to_have_text("Connected")
    return page


def test_pages(server, context, screenshot):
    """One test for a server: starting it takes longer than any page."""
    index = context.new_page()
    index.goto(server.url)
    expect(index.get_by_role("navigation").get_by_role("link")).to_have_count(7)

    echo = open_page(context, server, "/echo/")
    echo.get_by_label("Message", exact=True).fill("Grüße")
    echo.keyboard.press("Enter")
    expect(echo.locator("[data-side='←']")).to_have_text("Grüße")

    # Where a page cannot be reached from the first it does not say that something was lost.
    echo.evaluate(CONNECT_TO_INDEX)
    expect(echo.get_by_role("status")).to_have_text("Cannot connect, see the log of the server")
    expect(echo.get_by_role("button", name="Send")).to_be_disabled()
    screenshot(echo, "cannot-connect")

    lower_case = open_page(context, server, "/echo/lower/")
    lower_case.get_by_label("Message", exact=True).fill("GRÜSSE")
    lower_case.keyboard.press("Enter")
    expect(lower_case.locator("[data-side='←']")).to_have_text("grüsse")
    lower_case.get_by_role("link", name="HELLO HTTP").click()
    expect(lower_case.locator("body")).to_have_text("hello http")

    ticker = open_page(context, server, "/ticker/")
    # It goes on ticking: a busy machine may look later than at the third.
    expect(ticker.locator("#number")).to_have_text(re.compile(r"^([3-9]|\d{2,})$"), timeout=20_000)
    screenshot(ticker, "ticker")

    notifications = open_page(context, server, "/notifications/")
    notifications.get_by_label("Text", exact=True).fill("Grüße")
    notifications.keyboard.press("Enter")
    expect(notifications.get_by_role("listitem")).to_contain_text("Grüße")

    chat = context.new_page()
    chat.goto(f"{server.url}/chat/")
    chat.get_by_role("textbox", name="What is your name?").fill("Ada")
    chat.keyboard.press("Enter")
    expect(chat.locator("#count")).to_have_text("only you")


def test_terminal_runs_commands(server, context, screenshot):
    page = open_page(context, server, "/terminal/")
    screen, command = page.get_by_role("log"), page.get_by_label("Command")
    command.fill("expr 6 '*' 7")
    page.keyboard.press("Enter")
    expect(screen).to_contain_text("42")  # a result, not the echo of what was typed

    command.fill("(expr 10 '*' 11; exec sleep 600)")  # one job, for Ctrl-C to meet
    page.keyboard.press("Enter")
    expect(screen).to_contain_text("110")
    page.get_by_role("button", name="Ctrl-C").click()
    command.fill("expr 10 '*' 12")
    page.keyboard.press("Enter")
    expect(screen).to_contain_text("120")
    screenshot(page, "terminal")

    command.fill("exit")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("The server has ended it")
