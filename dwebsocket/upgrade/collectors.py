"""What collects for a request until that ends, as the Django Debug Toolbar and Silk do with its
queries: of a WebSocket it would do so without end.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async

from dwebsocket.backends.frames import objects_around
from dwebsocket.supervisor import log_failure

__all__ = ["apause", "pause"]


def pause() -> Callable[[], None]:
    """Have nothing more collected for the request that runs in this thread; what undoes that."""
    undoing = []
    for name, pause_one in KNOWN.items():
        if module := sys.modules.get(name):
            try:
                undoing.append(pause_one(module))
            except Exception:  # a version that we do not know
                log_failure("What %s collects for a WebSocket cannot be stopped", name)

    def undo() -> None:
        for function in undoing:
            function()

    return undo


async def apause() -> Callable[[], Any]:
    """``pause`` for a coroutine; the thread of its request does on its behalf what is not async."""
    if not any(name in sys.modules for name in KNOWN):
        return do_nothing_async
    return sync_to_async(await sync_to_async(pause)())


async def do_nothing_async() -> None:
    pass


def do_nothing() -> None:
    pass


def pause_toolbar(module: Any) -> Callable[[], None]:
    """Its panels stop early; their middleware, which stops them at the end, need not."""
    for toolbar in objects_around(module.DebugToolbar):
        for panel in reversed(toolbar.enabled_panels):
            panel.disable_instrumentation()
            panel.disable_instrumentation = do_nothing
        break
    return do_nothing


def pause_silk(module: Any) -> Callable[[], None]:
    """It collects for a request that it knows, and wants that again for the response."""
    collector = module.DataCollector()
    known = collector.request
    collector.stop_python_profiler()
    collector.request = None

    def resume() -> None:
        collector.request = known

    return resume


#: Modules, and the functions that have what they do paused.
KNOWN: dict[str, Callable[[Any], Callable[[], None]]] = {
    "debug_toolbar.toolbar": pause_toolbar,
    "silk.collector": pause_silk,
}
