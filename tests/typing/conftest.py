"""What the checkers look for other packages in."""

import pytest

from .checkers import make_site


@pytest.fixture(scope="session")
def with_stubs(tmp_path_factory):
    """Python with django-stubs."""
    return make_site(tmp_path_factory.mktemp("stubs") / "venv", stubs=True)


@pytest.fixture(scope="session")
def without_stubs(tmp_path_factory):
    """Python without django-stubs."""
    return make_site(tmp_path_factory.mktemp("bare") / "venv", stubs=False)
