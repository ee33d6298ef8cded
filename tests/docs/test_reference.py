"""The tables of members are those of the classes, with their arguments and defaults."""

import inspect
import re

import pytest
from django.utils.module_loading import import_string
from django.views import View

from dwebsocket import Group, WebSocketHandler, accept_websocket, require_websocket, testing
from dwebsocket.websocket import BaseWebSocket

from .pages import code_in, page

# Of BaseWebSocket, but no business of a view's; docs/explanation/write-a-backend.md has them.
PRIMITIVES = {
    "accept_connection",
    "arelease_database",
    "close_connection",
    "connection_log",
    "count_received",
    "create_runner",
    "end",
    "has_ended",
    "loop",
    "on_accept",
    "runner",
    "send_nowait",
    "close_nowait",
    "finish",
    "receive_available",
    "receive_messages",
    "release_database",
    "send_ping",
}


def public_members(cls, *, beyond=object):
    """Methods, properties and documented attributes."""
    names = {name for name in dir(cls) if not name.startswith("_") and not hasattr(beyond, name)}
    attributes = re.search(r"Attributes:\n((?: +.*\n?)+)", inspect.getdoc(cls) or "")
    return names | set(re.findall(r"^ {4}(\w+):", attributes[1] if attributes else "", re.M))


def cells(name, heading=None):
    """The first column of the tables of members on a page, or of one of its sections."""
    shown = page(name)
    text = shown.prose
    if heading:
        text = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.M | re.S)[1]
    return re.findall(r"^\| `([^`]+)` \|", text, re.M)


def check_signatures(stated, cls):
    for cell in stated:
        match = re.fullmatch(r"(\w+)\((.*)\)", cell)
        if match:
            parameters = inspect.signature(getattr(cls, match[1])).parameters.values()
            shown = [str(p.replace(annotation=p.empty)) for p in parameters if p.name != "self"]
            keyword_only = [p.kind is p.KEYWORD_ONLY for p in parameters if p.name != "self"]
            if True in keyword_only:
                shown.insert(keyword_only.index(True), "*")
            assert match[2].replace('"', "'") == ", ".join(shown), cell


def test_websocket():
    stated = cells("docs/reference/websocket.md")
    iterations = [cell for cell in stated if "for message in" in cell]
    assert len(iterations) == 2
    members = [cell for cell in stated if cell not in iterations]
    names = [cell.partition("(")[0] for cell in members]
    assert set(names) == public_members(BaseWebSocket) - PRIMITIVES
    assert len(names) == len(set(names))
    check_signatures(members, BaseWebSocket)


def test_what_is_called_is_a_method():
    for cell in cells("docs/reference/websocket.md"):
        if "for message in" not in cell:
            member = inspect.getattr_static(BaseWebSocket, cell.partition("(")[0])
            assert inspect.isfunction(member) == cell.endswith(")"), cell


@pytest.mark.parametrize(
    ("cls", "beyond"),
    [
        (testing.WebSocketClient, testing.Client),
        (testing.WebSocketSession, object),
        (testing.WebSocketRefused, Exception),
    ],
    ids=lambda cls: cls.__name__,
)
def test_testing(cls, beyond):
    stated = cells("docs/reference/testing.md", cls.__name__)
    assert {cell.partition("(")[0] for cell in stated} == public_members(cls, beyond=beyond)
    check_signatures(stated, cls)


def test_groups():
    stated = cells("docs/howto/groups.md", "What there is")
    names = {cell.partition("(")[0] for cell in stated}
    assert names - {"Group"} == public_members(Group) - {"name"}
    check_signatures([cell for cell in stated if not cell.startswith("Group")], Group)


def test_handlers():
    stated = cells("docs/reference/handlers.md")
    assert len(stated) == len({*stated})
    members = public_members(WebSocketHandler, beyond=View)
    assert {cell.partition("(")[0] for cell in stated} == members
    check_signatures(stated, WebSocketHandler)
    shown = page("docs/reference/handlers.md").prose
    assert f"`{WebSocketHandler.subprotocols!r}` by default" in shown
    assert f"| `keep_request` | `{WebSocketHandler.keep_request}`;" in shown


@pytest.mark.parametrize("decorator", [accept_websocket, require_websocket])
def test_options_of_the_decorators(decorator):
    shown = page("docs/reference/decorators.md")
    assert decorator.__name__ in cells("docs/reference/decorators.md")
    stated = {code_in(row[0])[0]: code_in(row[1])[0] for row in shown.table("Option").rows}
    parameters = [*inspect.signature(decorator).parameters.values()][1:]
    assert {p.name: repr(p.default) for p in parameters} == stated


NAMES = page("docs/migration/dwebsocket.md").table("Name").rows


@pytest.mark.parametrize("name", [code_in(row[0])[0] for row in NAMES])
def test_old_names_can_be_imported(name):
    assert import_string(name)


@pytest.mark.parametrize("name", ["django-websocket", "django-ws", "channels"])
def test_new_names_can_be_imported(name):
    for table in page(f"docs/migration/{name}.md").tables:
        for row in table.rows:
            for path in re.findall(r"`(dwebsocket\.[\w.]*)`", row[1]):
                assert path.count(".") == 1 or import_string(path)


def test_members_named_in_the_migration_pages_exist():
    members = public_members(BaseWebSocket)
    for name in ["dwebsocket", "django-websocket", "django-ws", "channels"]:
        for table in page(f"docs/migration/{name}.md").tables:
            for row in table.rows:
                for member in re.findall(r"`websocket\.(\w+)", row[1]):
                    assert member in members, f"{name}: {member}"
