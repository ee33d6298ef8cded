"""Views in the test process."""

import pytest

from .asgi import Loop, serve_asgi
from .site import make_reports, make_site, make_user

__all__ = ["make_reports", "make_site", "make_user"]


@pytest.fixture(name="loop")
def make_loop():
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def serve(site, loop):
    """serve(view, *more, **settings): a client of the application for ASGI servers."""
    return lambda view, *more, **changed: serve_asgi(site, loop, view, *more, **changed)


@pytest.fixture(params=["asgi", "wsgi"])
def serve_either(request, site):
    """The same, and through the test client that the package ships: what is said is the same."""
    return request.getfixturevalue("serve") if request.param == "asgi" else site.serve
