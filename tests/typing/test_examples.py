"""The checkers find nothing in the examples."""

import shutil
from pathlib import Path

import pytest

from ..servers.process import ROOT
from .checkers import run_mypy, run_pyright

pytestmark = pytest.mark.xdist_group("typing")

HERE = Path(__file__).parent

#: For the plugin of django-stubs, which knows one site.
SETTINGS = """
from demo.settings import *
from hosting.settings import TENANT_DOMAIN_MODEL, TENANT_MODEL

INSTALLED_APPS += ["companies", "notes", "sockets"]
INSTALLED_APPS += ["django.contrib.auth", "django.contrib.contenttypes"]
"""


#: Found only if the examples are looked at: a view is called without what its address says.
WRONG = """
from chat.views import page
from django.http import HttpRequest

page(HttpRequest())
"""
MISTAKE = ("mistake.py", 5)


@pytest.fixture
def examples(tmp_path):
    """All of them in one directory, the example with tenants among the others."""
    project = shutil.copytree(ROOT / "examples", tmp_path / "project")
    for site in ("tenants", "deploy", "gateway"):
        (project / site / "manage.py").unlink()
    for app in (project / "tenants").iterdir():
        app.rename(project / app.name)
    (project / "gateway" / "sockets").rename(project / "sockets")
    (project / "every_app.py").write_text(SETTINGS)
    (project / "mistake.py").write_text(WRONG)
    return project


def test_mypy(with_stubs, examples):
    options = ("--config-file", HERE / "examples_with_stubs.ini")
    assert run_mypy(with_stubs, examples, *options, ".") == {(*MISTAKE, "call-arg")}


def test_mypy_without_stubs(without_stubs, examples):
    options = ("--config-file", HERE / "examples_without_stubs.ini")
    assert run_mypy(without_stubs, examples, *options, ".") == {(*MISTAKE, "call-arg")}


def test_pyright(with_stubs, examples):
    assert run_pyright(with_stubs, examples) == {(*MISTAKE, "reportCallIssue")}
