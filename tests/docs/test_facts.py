"""What tables say about settings, checks, loggers, exceptions and answers is what the code says."""

import ast
import inspect
import re
import resource

import pytest
from django.conf import global_settings
from django.core.handlers.wsgi import WSGIHandler

import dwebsocket.exceptions
from dwebsocket.backends.room import default_max_connections
from dwebsocket.conf import Conf
from dwebsocket.protocol.frames import CloseCode

from .pages import PAGES, ROOT, code_in, page

SOURCES = [path.read_text() for path in (ROOT / "dwebsocket").rglob("*.py")]
SOURCE = "\n".join(SOURCES)


class Unset:
    """Django's defaults, and no setting of ours."""

    def __getattr__(self, name):
        if name.startswith("WEBSOCKET_"):
            raise AttributeError(name)
        return getattr(global_settings, name)


@pytest.fixture
def unset(monkeypatch):
    monkeypatch.setattr("dwebsocket.conf.django_settings", Unset())
    return Conf()


SETTINGS = {
    code_in(row[0])[0]: row for row in page("docs/reference/settings.md").table("Setting").rows
}


def settings_of_the_code():
    return {name for name, member in vars(Conf).items() if isinstance(member, property)}


def test_settings_are_all_there():
    assert {name.removeprefix("WEBSOCKET_") for name in SETTINGS} == settings_of_the_code()


@pytest.mark.parametrize("name", SETTINGS)
def test_default_of_setting(name, unset):
    default = getattr(unset, name.removeprefix("WEBSOCKET_"))
    stated = SETTINGS[name][1]
    if stated == "90 % of the descriptor limit":
        assert default is None
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert default_max_connections() == limit * 9 // 10
    elif code_in(stated)[0].isupper():
        assert default == getattr(global_settings, code_in(stated)[0])
    else:
        assert default == ast.literal_eval(code_in(stated)[0])


def test_settings_named_anywhere_exist():
    for shown in PAGES:
        named = set(re.findall(r"\bWEBSOCKET_(\w+)", shown.text))
        assert named - {"MIDDLEWARE_INSTALLED"} <= settings_of_the_code(), shown.name


def test_check_ids():
    rows = page("docs/reference/checks-and-logging.md").table("Id").rows
    assert [code_in(row[0])[0] for row in rows] == sorted(
        set(re.findall(r'"(dwebsocket\.[EW]\d{3})"', SOURCE)),
        key=lambda name: (name[len("dwebsocket.")], name),
    )


def test_check_names_its_setting():
    """The row of an id names the setting of which the code says so."""
    text = (ROOT / "dwebsocket" / "checks.py").read_text()
    pairs = re.findall(r'"(\w+)": \(?\s*"(dwebsocket\.E\d{3})"', text)
    assert len(pairs) == len(settings_of_the_code())
    rows = {
        code_in(row[0])[0]: row[1]
        for row in page("docs/reference/checks-and-logging.md").table("Id").rows
    }
    for setting, check_id in pairs:
        assert f"`{setting}`" in rows[check_id]


def test_loggers():
    rows = page("docs/reference/checks-and-logging.md").table("Logger").rows
    assert {code_in(row[0])[0] for row in rows} == set(
        re.findall(r'getLogger\("(dwebsocket[\w.]*)"\)', SOURCE)
    )


def test_exceptions():
    rows = page("docs/reference/exceptions.md").table("Exception").rows
    assert {code_in(row[0])[0] for row in rows} == set(dwebsocket.exceptions.__all__)
    for row in rows:
        exception = getattr(dwebsocket.exceptions, code_in(row[0])[0])
        assert [base.__name__ for base in exception.__bases__] == code_in(row[1])
        status = re.fullmatch(r"\d{3}", row[2])
        assert not status or exception.status_code == int(row[2])


# What the code answers with, and what the page of errors explains.

ANSWERS = page("docs/errors.md").table("Status").rows


def constants(node):
    """The text of a string or an f-string up to its first gap."""
    if isinstance(node, ast.JoinedStr):
        node = node.values[0]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    return []


def refusals_of_the_code():
    """The beginning of each text with which a handshake is refused."""
    texts = []
    for source in SOURCES:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                raised = getattr(dwebsocket.exceptions, node.func.id, None)
                names = (
                    "InvalidHandshake",
                    "SocketTakeoverError",
                    "TooManyConnections",
                    "TooManyViews",
                )
                is_refusal = node.func.id in names or raised in (
                    dwebsocket.exceptions.InvalidOrigin,
                    dwebsocket.exceptions.UnsupportedVersion,
                )
                texts += constants(node.args[0]) if is_refusal and node.args else []
    return texts


def test_every_refusal_is_explained():
    explained = [code_in(row[1])[0] for row in ANSWERS]
    found = refusals_of_the_code()
    assert len(found) > 10
    for text in found:
        assert any(text.startswith(start) or start.startswith(text) for start in explained), text


def test_every_explained_text_exists():
    joined = re.sub(r'"\s*\n\s*f?"', "", SOURCE)
    for row in ANSWERS:
        assert code_in(row[1])[0] in joined


def test_every_text_of_a_mistake_exists():
    joined = re.sub(r'"\s*\n\s*f?"', "", SOURCE)
    rows = page("docs/errors.md").table("Text").rows
    assert len(rows) > 10
    for row in rows:
        assert code_in(row[0])[0] in joined


def test_what_django_says_where_an_asgi_server_calls_its_wsgi_application():
    said = set()
    for arguments in [({},), ({}, None, None)]:  # in one of two ways
        with pytest.raises(TypeError) as caught:
            WSGIHandler.__call__(None, *arguments)
        said.add(str(caught.value))
    rows = page("docs/errors.md").table("In the log").rows
    assert {code_in(row[0])[0] for row in rows if row[0].startswith("`WSGIHandler")} == said


#: Codes that stand for what no Close has said (RFC 6455, 7.4.1).
NEVER_SENT = {CloseCode.NO_STATUS_RCVD, CloseCode.ABNORMAL_CLOSURE}


def test_close_codes():
    rows = page("docs/errors.md").table("Code").rows
    explained = {int(row[0]): row for row in rows if row[0].isdigit()}
    named = set(re.findall(r"\bCloseCode\.([A-Z_]+)", SOURCE))
    assert set(explained) == {CloseCode[name] for name in named}
    for code, row in explained.items():
        assert (row[1] == "never") == (code in NEVER_SENT)


def test_primitives_and_takeovers():
    from dwebsocket.backends.default.servers import SocketTakeover
    from dwebsocket.backends.runner import Runner
    from dwebsocket.websocket import BaseWebSocket

    shown = page("docs/explanation/write-a-backend.md")
    for column, base in [
        ("Method", SocketTakeover),
        ("Primitive", BaseWebSocket),
        ("Runner", Runner),
    ]:
        for row in shown.table(column).rows:
            name, _, arguments = code_in(row[0])[0].rstrip(")").partition("(")
            parameters = [*inspect.signature(getattr(base, name)).parameters]
            assert ", ".join(p for p in parameters if p != "self") == arguments
    rows = [row for column in ("Method", "Member") for row in shown.table(column).rows]
    names = {code_in(row[0])[0].partition("(")[0] for row in rows}
    # Those that the base answers.
    answered = {"take_transport", "waits_in_greenlets", "leave", "max_connections", "others"}
    assert names == {name for name in dir(SocketTakeover) if not name.startswith("_")} - answered


def test_every_takeover_has_a_title_of_its_own():
    from dwebsocket.backends.default.servers import TAKEOVERS

    assert len({takeover_class.title for takeover_class in TAKEOVERS}) == len(TAKEOVERS)
