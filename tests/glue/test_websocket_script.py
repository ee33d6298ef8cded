"""The template tag that puts the client on a page, beside what people serve static files by, and
what says their Content Security Policy.
"""

import re

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.http import HttpResponse
from django.template import RequestContext, engines
from django.test import override_settings
from django.urls import path

SOURCE = "{% load dwebsocket %}{% websocket_script %}"
APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    "dwebsocket",
]
MANIFEST = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
WHITENOISE = "whitenoise.storage.CompressedManifestStaticFilesStorage"
MARKED = re.compile(r'<script src="/static/dwebsocket/websocket\.js" nonce="([^"]{16,})"></script>')


def view(request):
    return HttpResponse(engines["django"].from_string(SOURCE).render({}, request))


@pytest.fixture
def get(site, tmp_path):
    """get(address, **settings): a site's answer, without its middleware but what is named."""

    def get(address="/", *, processors=(), middleware=(), storage=None, apps=APPS):
        options = {
            "context_processors": ["django.template.context_processors.request", *processors]
        }
        backend = "django.template.backends.django.DjangoTemplates"
        more = {}
        if storage:
            more["STORAGES"] = {"staticfiles": {"BACKEND": storage}}
        client = site.serve(
            view,
            path("plain/", view),
            INSTALLED_APPS=apps,
            MIDDLEWARE=list(middleware),
            STATIC_URL="/static/",
            STATIC_ROOT=tmp_path / "static",
            TEMPLATES=[{"BACKEND": backend, "APP_DIRS": True, "OPTIONS": options}],
            **more,
        )
        if storage:
            call_command("collectstatic", interactive=False, verbosity=0)
        return client.get(address)

    return get


def text_of(response):
    return response.content.decode()


def test_the_element(get):
    assert text_of(get()) == '<script src="/static/dwebsocket/websocket.js"></script>'


@pytest.mark.parametrize("storage", [MANIFEST, WHITENOISE])
def test_with_a_hash_in_its_name(get, storage, tmp_path):
    if storage == WHITENOISE:
        pytest.importorskip("whitenoise")
    found = re.fullmatch(
        r'<script src="/static/(dwebsocket/websocket\.\w{12}\.js)"></script>',
        text_of(get(storage=storage)),
    )
    collected = (tmp_path / "static" / found[1]).read_text()
    assert "globalThis.DWebSocket" in collected
    (module,) = (tmp_path / "static" / "dwebsocket").glob("websocket.*.mjs")
    assert "export" in module.read_text()


def test_whitenoise_serves_it(get, tmp_path):
    pytest.importorskip("whitenoise")
    middleware = ["whitenoise.middleware.WhiteNoiseMiddleware"]
    address = re.search('"(.+)"', text_of(get(storage=WHITENOISE, middleware=middleware)))[1]
    response = get(address, storage=WHITENOISE, middleware=middleware)
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/javascript")
    assert "immutable" in response["Cache-Control"]
    assert b"globalThis.DWebSocket" in b"".join(response.streaming_content)


def test_the_nonce_of_django(get):
    pytest.importorskip("django.utils.csp", reason="Django 6 brings it")
    policy = {"script-src": ["'self'", "<CSP_NONCE_SENTINEL>"]}
    with override_settings(SECURE_CSP=policy):
        response = get(
            processors=["django.template.context_processors.csp"],
            middleware=["django.middleware.csp.ContentSecurityPolicyMiddleware"],
        )
    (nonce,) = MARKED.fullmatch(text_of(response)).groups()
    assert f"'nonce-{nonce}'" in response["Content-Security-Policy"]


def test_the_nonce_of_django_csp(get):
    constants = pytest.importorskip("csp.constants")
    policy = {"DIRECTIVES": {"script-src": ["'self'", constants.NONCE]}}
    with override_settings(CONTENT_SECURITY_POLICY=policy):
        response = get(middleware=["csp.middleware.CSPMiddleware"])
    (nonce,) = MARKED.fullmatch(text_of(response)).groups()
    assert f"'nonce-{nonce}'" in response["Content-Security-Policy"]


def test_a_template_without_a_request(get):
    get()
    assert "nonce" not in engines["django"].from_string(SOURCE).render({})
    assert "nonce" not in engines["django"].engine.from_string(SOURCE).render(RequestContext(None))


def test_without_static_files_it_says_what_is_missing(get):
    apps = [app for app in APPS if app != "django.contrib.staticfiles"]
    with pytest.raises(ImproperlyConfigured, match=r"'django\.contrib\.staticfiles' in INSTALLED"):
        get(apps=apps)
