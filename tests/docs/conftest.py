"""Projects made of what the pages show, made once for each page."""

import pytest

from .projects import make_project, make_skeleton


@pytest.fixture(scope="session")
def skeleton(tmp_path_factory):
    directory = tmp_path_factory.mktemp("skeleton") / "project"
    directory.mkdir()
    make_skeleton(directory)
    return directory


@pytest.fixture
def make_page_project(skeleton, tmp_path):
    """make_page_project(page) → the directory of a project with the page's files."""
    return lambda shown: make_project(skeleton, tmp_path / "project", shown)
