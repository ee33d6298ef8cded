"""HTML by template engines: what is sent, and what a mistake is told."""

from threading import get_ident
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.core.exceptions import SynchronousOnlyOperation
from django.template import Engine, Template, TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template
from django.template.utils import InvalidTemplateEngineError
from django.utils import translation

from dwebsocket import Group, JsonWebSocketHandler, WebSocketHandler, require_websocket
from dwebsocket.exceptions import ConnectionClosed

from ..groups.peers import Member
from .site import wait_until

FILES = {
    "item.html": "<li>{{ text }}</li>",
    "users.html": "<p>{% for user in users %}{{ user.username }}{% endfor %}</p>",
    "page.html": "<p>{{ request.path }} {{ csrf_token|length }}</p>",
    "language.html": "{% load i18n %}{% translate 'Yes' %}",
}


@pytest.fixture(autouse=True)
def templates(site, tmp_path):
    """Those above for the first engine, and one that Jinja2 alone has."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    other = tmp_path / "jinja"
    other.mkdir()
    (other / "item.html").write_text("<b>{{ text }}{{ 6 * 7 }}</b>")
    backend = "django.template.backends"
    processors = ["django.template.context_processors.request"]
    site.change(
        TEMPLATES=[
            {
                "BACKEND": f"{backend}.django.DjangoTemplates",
                "DIRS": [tmp_path],
                "OPTIONS": {"context_processors": processors},
            },
            {"BACKEND": f"{backend}.jinja2.Jinja2", "DIRS": [other]},
        ]
    )


MARKUP = {"text": "<Zoë> & co"}
ESCAPED = "<li>&lt;Zoë&gt; &amp; co</li>"


def every_form():
    """The template in each form that it may have, and what comes of it."""
    yield ("item.html", MARKUP), {}, ESCAPED
    yield (["none.html", "item.html"], MARKUP), {}, ESCAPED
    yield (("item.html",), MARKUP), {}, ESCAPED
    yield (get_template("item.html"), MARKUP), {}, ESCAPED
    yield (get_template("item.html", using="jinja2"), MARKUP), {}, "<b>&lt;Zoë&gt; &amp; co42</b>"
    yield (Template("<li>{{ text }}</li>"), MARKUP), {}, ESCAPED
    unescaped = Engine(autoescape=False).from_string("<li>{{ text }}</li>")
    yield (unescaped, MARKUP), {}, "<li><Zoë> & co</li>"
    yield ("item.html",), {}, "<li></li>"
    yield ("item.html", {}), {}, "<li></li>"
    yield ("item.html", MARKUP), {"engine": "jinja2"}, "<b>&lt;Zoë&gt; &amp; co42</b>"
    yield ("item.html", MARKUP), {"engine": "django"}, ESCAPED


def test_every_form_of_a_template(site):
    @require_websocket
    def view(request):
        for args, options, _ in every_form():
            request.websocket.send_html(*args, **options)

    with site.serve(view).websocket("/") as session:
        for _, _, text in every_form():
            assert session.receive() == text


def test_a_group_renders_once_for_all():
    rendered = []

    class Counted:
        def __str__(self):
            rendered.append(self)
            return "once"

    first, second, third = members = [Member(), Member(), Member()]
    group = Group("html")
    for member in members:
        group.add(member)
    try:
        group.send_html("item.html", {"text": Counted()}, exclude=third)
        assert (first.next(), second.next(), len(rendered)) == ("<li>once</li>",) * 2 + (1,)
        assert third.count() == 0
    finally:
        for member in members:
            group.discard(member)


def test_a_group_keeps_what_was_rendered():
    group = Group(f"html.{uuid4()}", history=10)  # others may be kept from an earlier run
    group.send_html("item.html", MARKUP)
    group.send_html("item.html", {"text": "not this one"}, keep=False)
    assert group.history().messages == [ESCAPED]


class Handler(WebSocketHandler):
    def on_message(self, message):
        self.send_html("item.html", {"text": message})


class JsonHandler(JsonWebSocketHandler):
    def on_message(self, message):
        self.send_html("item.html", message)


class AsyncHandler(WebSocketHandler):
    async def on_message(self, message):
        await self.send_html("item.html", {"text": message})


@pytest.mark.parametrize("handler", [Handler, JsonHandler, AsyncHandler])
def test_handlers(serve_either, handler):
    with serve_either(handler.as_view()).websocket("/") as session:
        session.send('{"text": "a"}' if handler is JsonHandler else "a")
        assert session.receive() == "<li>a</li>"


def test_in_async_code_a_template_may_ask_the_database(serve_either, user):
    """In the thread of the coroutine's own queries; where none may be made it is told so."""

    class Users(WebSocketHandler):
        async def on_message(self, message):
            users = get_user_model().objects.filter(pk=user.pk)
            with pytest.raises(SynchronousOnlyOperation):
                self.send_html("users.html", {"users": users})
            await self.websocket.asend_html("users.html", {"users": users})
            Group("html.async").add(self.websocket)
            await Group("html.async").asend_html("users.html", {"users": users.all()})

    with serve_either(Users.as_view()).websocket("/") as session:
        session.send("go")
        assert [session.receive(), session.receive()] == ["<p>ada</p>"] * 2


def test_async_rendering_has_the_language_of_the_coroutine(serve_either):
    @require_websocket
    async def view(request):
        with translation.override("de"):
            await request.websocket.asend_html("language.html")

    with serve_either(view).websocket("/") as session:
        assert session.receive() == "Ja"


def test_a_request_is_for_context_processors_and_tokens(site):
    @require_websocket
    def view(request):
        request.websocket.send_html("page.html", {}, request)
        request.websocket.send_html("page.html")

    with site.serve(view).websocket("/") as session:
        assert session.receive() == "<p>/ 64</p>"
        assert session.receive() == "<p> 0</p>"


MISTAKES = [
    (("none.html",), {}, TemplateDoesNotExist, "none.html"),
    ((["none.html", "nil.html"],), {}, TemplateDoesNotExist, "none.html, nil.html"),
    (([],), {}, TemplateDoesNotExist, "No template names"),
    (("item.html", [1]), {}, TypeError, r"context is \[1\], it must be a dictionary"),
    (("item.html", Template), {}, TypeError, "a request is given as request="),
    ((5,), {}, TypeError, "template is 5, it must be the name of a template"),
    ((None,), {}, TypeError, "template is None"),
    ((b"item.html",), {}, TypeError, "template is b'item.html'"),
    (("users.html",), {"engine": "jinja2"}, TemplateDoesNotExist, "users.html"),
    (
        ("item.html",),
        {"engine": "none"},
        InvalidTemplateEngineError,
        "Could not find config for 'none'",
    ),
]


@pytest.mark.parametrize(("args", "options", "error", "text"), MISTAKES)
def test_mistakes_are_told_and_nothing_is_sent(site, reports, args, options, error, text):
    @require_websocket
    def view(request):
        for send in (request.websocket.send_html, Group("html.mistakes").send_html):
            with pytest.raises(error, match=text):
                send(*args, **options)
        request.websocket.send("the connection lives")
        reports("both")

    with site.serve(view).websocket("/") as session:
        assert session.receive() == "the connection lives"
    assert reports.next() == "both"


def test_an_engine_for_a_template_that_has_one():
    with pytest.raises(ValueError, match="engine is 'jinja2'"):
        Group("html").send_html(Template("x"), engine="jinja2")


def test_an_error_in_the_template_is_raised(tmp_path):
    (tmp_path / "wrong.html").write_text("{% nothing %}")
    with pytest.raises(TemplateSyntaxError, match="nothing"):
        Group("html").send_html("wrong.html")


def test_after_the_end(site, reports):
    @require_websocket
    def view(request):
        assert request.websocket.wait() is None
        with pytest.raises(ConnectionClosed):
            request.websocket.send_html("item.html")
        reports("raised")

    site.serve(view).websocket("/").close()
    assert reports.next() == "raised"


def test_an_await_of_the_plain_method_is_explained(serve_either, caplog):
    @require_websocket
    async def view(request):
        await request.websocket.send_html("item.html")

    with serve_either(view).websocket("/") as session:
        assert session.receive() == "<li></li>"
        wait_until(lambda: len(caplog.records) == 2)
    assert "`await request.websocket.asend_html(…)`" in caplog.records[1].getMessage()


def test_async_rendering_has_the_thread_of_the_coroutine_s_queries(serve_either):
    """And so its database connections."""

    @require_websocket
    async def view(request):
        await request.websocket.asend_html("item.html", {"text": get_ident})  # it is called there
        await request.websocket.asend(f"<li>{await sync_to_async(get_ident)()}</li>")

    with serve_either(view).websocket("/") as session:
        assert session.receive() == session.receive()
