"""The samples of the page on types, under the settings that it shows, and wrong code beside them:
the checkers find the lines that are marked, by the rules of their marks, and no other.
"""

import re
import shutil
from pathlib import Path

import pytest

from ..docs.pages import page
from ..docs.projects import make_project, make_skeleton
from .checkers import run_mypy, run_pyright

pytestmark = pytest.mark.xdist_group("typing")

PAGE = page("docs/howto/typing.md")
SAMPLES = sorted({block.file for block in PAGE.blocks_in("python")})
WITH_STUBS, WITHOUT_STUBS = PAGE.blocks_in("toml")

WRONG = Path(__file__).parent / "wrong"
MEMBERS, REQUESTS = "wrong/members.py", "wrong/requests.py"
MARK = re.compile(r"# wrong: (.*)$")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The page's project, and the wrong code."""
    directory = tmp_path_factory.mktemp("samples")
    (directory / "skeleton").mkdir()
    make_skeleton(directory / "skeleton")
    made = make_project(directory / "skeleton", directory / "project", PAGE)
    shutil.copytree(WRONG, made / "wrong")
    return made


def marked(*files, pyright):
    """What the marks say, as the checkers tell it. The rules of pyright begin with ``report``."""
    return {
        (file, number, rule)
        for file in files
        for number, line in enumerate((WRONG.parent / file).read_text().splitlines(), 1)
        if (mark := MARK.search(line))
        for rule in mark[1].split()
        if rule.startswith("report") == pyright
    }


def test_mypy(with_stubs, project):
    (project / "pyproject.toml").write_text(WITH_STUBS.code)
    found = run_mypy(with_stubs, project, *SAMPLES, MEMBERS, REQUESTS)
    assert found == marked(MEMBERS, REQUESTS, pyright=False)


def test_mypy_without_stubs(without_stubs, project):
    (project / "pyproject.toml").write_text(WITHOUT_STUBS.code)
    found = run_mypy(without_stubs, project, *SAMPLES, MEMBERS)
    assert found == marked(MEMBERS, pyright=False)


def test_pyright(with_stubs, project):
    found = run_pyright(with_stubs, project, *SAMPLES, MEMBERS, REQUESTS)
    assert found == marked(MEMBERS, REQUESTS, pyright=True)


def test_all_wrong_code_is_looked_at():
    files = {path.relative_to(WRONG.parent).as_posix() for path in WRONG.glob("*.py")}
    assert files == {MEMBERS, REQUESTS}
    for pyright in (True, False):
        assert {file for file, _, _ in marked(*files, pyright=pyright)} == files
