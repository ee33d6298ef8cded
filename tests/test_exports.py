"""What each module offers is there, and importing the package needs no settings."""

import ast
import importlib
import os
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest

import dwebsocket

from .glue import site

PACKAGE = Path(dwebsocket.__file__).parent

__all__ = ["site"]  # configures Django


@cache
def module_names():
    paths = [path.relative_to(PACKAGE.parent) for path in sorted(PACKAGE.rglob("*.py"))]
    parts = [path.with_suffix("").parts for path in paths]
    return [".".join(one[:-1] if one[-1] == "__init__" else one) for one in parts]


def imported(name):
    return importlib.import_module(name)


def test_the_public_names():
    assert dwebsocket.__all__ == sorted(dwebsocket.__all__)
    assert set(dwebsocket.__all__) >= {
        "ConnectionClosed",
        "JsonWebSocketHandler",
        "WebSocketHandler",
        "accept_websocket",
        "require_websocket",
    }


def test_the_version_is_the_distributions():
    assert dwebsocket.__version__ == version("dwebsocket")


def test_all_is_true():
    for name in module_names():
        module = imported(name)
        offered = getattr(module, "__all__", None)
        if offered is None:
            source = Path(module.__file__).read_text()
            assert not defined_names(ast.parse(source)), f"{name} does not say what is public"
            continue
        assert len(offered) == len(set(offered)), name
        assert [n for n in offered if not hasattr(module, n)] == [], name


def test_what_is_offered_is_said_what_it_is():
    for name in module_names():
        module = imported(name)
        for offered in getattr(module, "__all__", []):
            item = getattr(module, offered)
            if callable(item) and getattr(item, "__module__", "").startswith("dwebsocket"):
                assert item.__doc__, f"{name}: {offered} has no docstring"


def names_used(name):
    """The names that a module has of other modules of ours, as (module, name)."""
    path = Path(imported(name).__file__)
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    ours = {*module_names()}
    tree = ast.parse(path.read_text())
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                if f"{source}.{alias.name}" in ours:
                    modules[alias.asname or alias.name] = f"{source}.{alias.name}"
                elif source in ours:
                    yield source, alias.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) in modules:
            yield modules[node.value.id], node.attr


def test_what_other_modules_use_is_offered():
    hidden = {
        f"{module}.{used}, in {name}"
        for name in module_names()
        for module, used in names_used(name)
        if used not in getattr(imported(module), "__all__", [])
    }
    assert not hidden


def test_the_reader_sees_what_is_used():
    used = set(names_used("dwebsocket.websocket.base"))
    assert ("dwebsocket.exceptions", "InvalidState") in used
    assert ("dwebsocket.running.database", "opened") in used
    relative = set(names_used("dwebsocket.protocol.prepared"))
    assert ("dwebsocket.protocol.frames", "RSV1") in relative


def defined_names(tree):
    return [
        node.name
        for node in tree.body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_")
    ]


def test_init_defines_nothing():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    kinds = {type(node) for node in tree.body}
    assert kinds <= {ast.Expr, ast.Import, ast.ImportFrom, ast.Assign}


PROBES = {
    "the package": "import dwebsocket",
    "decorated views": (
        "from dwebsocket import accept_websocket, require_websocket\n"
        "@accept_websocket\ndef a(request): pass\n"
        "@require_websocket(subprotocols=['chat'])\ndef b(request): pass"
    ),
    "a handler": (
        "from dwebsocket import WebSocketHandler\n"
        "class Echo(WebSocketHandler): pass\nEcho.as_view()"
    ),
    "the middleware": "import dwebsocket.middleware",
    "the test client": "import dwebsocket.testing",
    "the factory": "import dwebsocket.backends.default.factory",
}


@pytest.mark.parametrize("code", PROBES.values(), ids=PROBES)
def test_import_needs_no_settings(code):
    environment = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
    check = "\nfrom django.conf import settings\nassert not settings.configured"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code + check],
        cwd=PACKAGE.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr


def test_import_inside_settings(tmp_path):
    (tmp_path / "early_settings.py").write_text(
        "from dwebsocket import accept_websocket\n"
        "import dwebsocket.factory\n"
        "SECRET_KEY = 'later'\nINSTALLED_APPS = ['dwebsocket']\n"
    )
    result = subprocess.run(
        [sys.executable, "-m", "django", "check", "--settings", "early_settings"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{PACKAGE.parent}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr


def test_type_hints_are_shipped():
    assert (PACKAGE / "py.typed").exists()
