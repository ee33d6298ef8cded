"""Imports point downwards only. Read from the sources, so that no import escapes by being lazy."""

import ast
import sys
from functools import cache
from itertools import chain, pairwise
from pathlib import Path

import pytest

from dwebsocket.backends.asgi.loop_websocket import LoopWebSocket
from dwebsocket.backends.asgi.websocket import AsgiWebSocket
from dwebsocket.backends.sockets import SocketWebSocket
from dwebsocket.backends.uwsgi.native import NativeWebSocket

from .docs.pages import code_in, page

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "dwebsocket"

#: From the bottom to the top; a module imports its own layer or a lower one.
LAYERS = [
    {"protocol", "supervisor"},
    {"transports", "exceptions", "html", "http"},
    {"conf"},
    {"running", "machine"},
    {"groups"},
    {"websocket", "legacy"},
    {"backends", "factory"},
    {"connections"},
    {"upgrade"},
    {"handover"},
    {
        "handlers",
        "ws_urls",
        "contexts",
        "decorators",
        "gateway",
        "middleware",
        "asgi",
        "asgi_polls",
        "__init__",
        "checks",
        "testing",
        "apps",
        "admin",
        "management",
        "models",
        "templatetags",
    },
]
#: What no module of a folder may import.
FORBIDDEN = {
    "protocol": {
        "asyncio",
        "django",
        "eventlet",
        "gevent",
        "select",
        "selectors",
        "socket",
        "ssl",
        "threading",
        "time",
    },
    "transports": {"django"},
    "groups": {"socket", "select", "selectors"},
    "machine": {"asyncio"},
}


@cache
def modules():
    return {
        path.relative_to(PACKAGE).with_suffix("").as_posix(): path for path in PACKAGE.rglob("*.py")
    }


@cache
def imports_of(name, path, *, typed=False):
    """Absolute names of all that a module imports, wherever in the file; for type checks, too, if
    ``typed``.
    """
    return tuple(read_imports(name, path, typed))


def read_imports(name, path, typed):
    package = ["dwebsocket", *name.split("/")[:-1]]
    tree = ast.parse(path.read_text())
    only_typing = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in only_typing and not typed:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield source if is_ours(source) and not is_ours(inner) else inner


@cache
def is_ours(dotted):
    """Whether it is a module or a folder of the package."""
    path = ROOT / dotted.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def layer_of(part):
    return next((number for number, layer in enumerate(LAYERS) if part in layer), None)


def part_of(name):
    return name.split("/")[0]


def modules_of(part):
    return [name for name in sorted(modules()) if part_of(name) == part]


def wrong_imports(names, allows):
    """Each module with those of its imports that it may not have."""
    found = {name: [i for i in own_imports(name) if not allows(name, i)] for name in names}
    return {name: imports for name, imports in found.items() if imports}


def own_imports(name, *, typed=False):
    for imported in imports_of(name, modules()[name], typed=typed):
        if imported == "dwebsocket" or imported.startswith("dwebsocket."):
            yield imported


def test_every_module_has_a_layer():
    assert {part_of(name) for name in modules() if layer_of(part_of(name)) is None} == set()


SHOWN = page("docs/explanation/how-it-works.md")


def test_the_documentation_shows_every_module_and_the_layers_in_their_order():
    shown = [code_in(row[0]) for row in SHOWN.table("Module").rows]
    parts = {part_of(name) for name in modules()}
    assert sorted(chain(*shown)) == sorted(parts - {"__init__"})
    layers = [[layer_of(part) for part in parts] for parts in shown]
    for above, below in pairwise(layers):
        assert min(above) >= max(below)


@pytest.mark.parametrize("folder", ["backends", "running", "upgrade"])
def test_the_documentation_shows_all_of_a_folder(folder):
    shown = [code_in(row[0]) for row in SHOWN.table(f"In `{folder}`").rows]
    parts = {name.split("/")[1] for name in modules() if part_of(name) == folder}
    assert sorted(chain(*shown)) == sorted(parts - {"__init__"})


def test_the_reader_sees_imports():
    found = set(own_imports("backends/sockets/websocket"))
    assert {"dwebsocket.backends.sockets.sweeper", "dwebsocket.conf"} <= found
    assert "dwebsocket.transports.descriptors" in found
    assert "dwebsocket.transports.poll" in set(own_imports("transports/threads"))  # a relative one


def layer_of_module(dotted):
    return layer_of(dotted.split(".")[1] if "." in dotted else "__init__")


def test_imports_point_downwards():
    for name in modules():
        assert None not in set(map(layer_of_module, own_imports(name))), name

    def is_lower(name, imported):
        return layer_of_module(imported) <= layer_of(part_of(name))

    assert wrong_imports(modules(), is_lower) == {}


def full_name(name):
    return f"dwebsocket.{name}".replace("/", ".").removesuffix(".__init__")


def test_there_is_no_circle():
    """Not even one of types: a part knows its owner by a Protocol."""
    known = {full_name(name): name for name in modules()}
    imports = {
        full: {imported for imported in own_imports(name, typed=True) if imported in known}
        for full, name in known.items()
    }
    while free := {name for name, imported in imports.items() if not imported & imports.keys()}:
        for name in free:
            del imports[name]
    assert {name: sorted(imported & imports.keys()) for name, imported in imports.items()} == {}


def tops_of(name):
    """The first parts of all names that a module imports."""
    return {imported.split(".")[0] for imported in imports_of(name, modules()[name])}


@pytest.mark.parametrize("part", FORBIDDEN)
def test_what_a_layer_may_not_know(part):
    known = {name: tops_of(name) & FORBIDDEN[part] for name in modules_of(part)}
    assert known
    assert {name: tops for name, tops in known.items() if tops} == {}


def test_transports_know_no_protocol():
    def is_known(name, imported):
        return imported.split(".")[1] in {"supervisor", "transports"}

    assert wrong_imports(modules_of("transports"), is_known) == {}


def test_backends_do_not_know_their_siblings():
    folders = {path.name for path in (PACKAGE / "backends").iterdir() if path.is_dir()}
    folders -= {"sockets", "__pycache__"}  # what backends over a socket share

    def is_no_sibling(name, imported):
        parts = imported.split(".")
        if parts[1] != "backends" or len(parts) == 2 or parts[2] not in folders:
            return True
        return name.count("/") > 1 and parts[2] == name.split("/")[1]

    assert wrong_imports(modules_of("backends"), is_no_sibling) == {}


def test_nothing_imports_tests_or_examples():
    others = {"tests", "examples", "bench", "docs", "pytest"}
    assert {name: tops_of(name) & others for name in modules() if tops_of(name) & others} == {}


REQUIRED = {"dwebsocket", "django", "websockets", "asgiref"}  # asgiref comes with Django
OPTIONAL = {
    "transports/gevent": {"gevent", "greenlet"},
    "transports/eventlet": {"eventlet", "greenlet"},
    "transports/greenlets": {"greenlet"},
    "transports/poll": {"gevent", "eventlet"},
    "backends/frames": {"greenlet"},
    "contexts": {
        "auditlog",
        "crum",
        "django_currentuser",
        "django_middleware_global_request",
        "django_multitenant",
        "easyaudit",
        "log_request_id",
        "pghistory",
        "simple_history",
        "threadlocals",
    },
    "backends/gateway/addresses": {"zmq"},
    "backends/gateway/link": {"zmq"},
    "gateway/packets": {"zmq"},
    "gateway/server": {"tornado"},
    "management/commands/run_wsserver": {"gevent"},
    "backends/gunicorn_worker": {"gunicorn"},
    "backends/default/servers/cheroot": {"cheroot"},
    "backends/asgi/http2": {"h2", "hypercorn"},
    "backends/asgi/servers/daphne": {"twisted"},
    "backends/asgi/servers/twisted": {"twisted"},
    "backends/default/servers/eventlet": {"eventlet"},
    "backends/default/servers/gevent": {"gevent"},
    "backends/default/servers/gunicorn": {"gunicorn"},
    "backends/uwsgi/descriptor": {"gevent"},
    "backends/uwsgi/server": {"gevent"},
    "backends/uwsgi/waiting": {"gevent"},
}


def test_servers_are_needed_by_their_own_files_only():
    usual = sys.stdlib_module_names | REQUIRED | {"redis", "uwsgi", "uwsgidecorators"}
    others = {name: tops_of(name) - usual - OPTIONAL.get(name, set()) for name in modules()}
    assert {name: tops for name, tops in others.items() if tops} == {}


@pytest.mark.parametrize(
    "websocket_class", [SocketWebSocket, AsgiWebSocket, LoopWebSocket, NativeWebSocket]
)
def test_what_a_view_holds_offers_little(websocket_class):
    """What its parts need of it is none of a view's business."""
    assert len([name for name in dir(websocket_class) if not name.startswith("_")]) <= 34
