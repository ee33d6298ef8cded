"""The tests for pytest that the page shows, run by pytest in the project of the page."""

import os
import sys

from ..entry_points import install_entry_points
from .pages import ROOT, page
from .projects import run

#: What pytest-django does; it is not installed here, for it would do so to our own tests, too.
CONFTEST = """
import os
import django
from django.test.utils import setup_test_environment
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
django.setup()
setup_test_environment()
"""


def test_the_fixture(make_page_project, tmp_path, monkeypatch):
    project = make_page_project(page("docs/howto/testing.md"))
    (project / "conftest.py").write_text(CONFTEST)
    install_entry_points(tmp_path / "installed")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'installed'}{os.pathsep}{ROOT}")
    output = run(
        project, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "chat/test_echo.py"
    )
    assert "1 passed" in output
