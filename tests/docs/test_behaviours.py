"""The files that a page shows make a project; what its views do is tested in there.

`behaviours/<page>.py` is put into the project as a test module and run by `manage.py test`, beside
the tests that the page itself shows.
"""

import shutil
import sys
from pathlib import Path

import pytest

from .pages import PAGES
from .projects import run

DIRECTORY = Path(__file__).parent / "behaviours"


def behaviour_of(shown):
    """docs/howto/json.md → behaviours/howto_json.py"""
    name = shown.name.removeprefix("docs/").removesuffix(".md")
    return DIRECTORY / f"{name.replace('/', '_').replace('-', '_').lower()}.py"


BEHAVIOURS = {shown.name: behaviour_of(shown) for shown in PAGES if behaviour_of(shown).exists()}

WITH_FILES = [shown for shown in PAGES if shown.blocks_in("python")]


@pytest.mark.parametrize("shown", WITH_FILES, ids=lambda shown: shown.name)
def test_project_of_the_page_works(shown, make_page_project):
    project = make_page_project(shown)
    command = [sys.executable, "-W", "error::RuntimeWarning", "manage.py"]
    if shown.name not in BEHAVIOURS:
        run(project, *command, "check", "--fail-level", "WARNING")
        return
    shutil.copy(BEHAVIOURS[shown.name], project / "chat" / "tests_of_page.py")
    output = run(project, *command, "test", "--pattern", "tests*.py")
    assert "Ran 0 tests" not in output
    assert "System check identified no issues" in output


def test_every_behaviour_belongs_to_a_page():
    files = {path for path in DIRECTORY.glob("*.py") if path.name != "__init__.py"}
    assert files == set(BEHAVIOURS.values())
