"""What pyproject.toml says is what PyPI takes, and what other files say."""

import re

from trove_classifiers import classifiers

from ..docs.pages import ROOT, page
from .project import CLASSIFIERS, REPOSITORY, URLS, versions

PYTHONS = versions("Programming Language :: Python")
DJANGOS = versions("Framework :: Django")


def test_pypi_knows_the_classifiers():
    assert CLASSIFIERS
    assert set(CLASSIFIERS) <= classifiers


def test_urls_lead_into_the_repository():
    assert set(URLS) == {"Documentation", "Changes", "Repository", "Issues"}
    assert all(url.startswith(REPOSITORY) for url in URLS.values())
    for name in ("Documentation", "Changes"):
        assert (ROOT / URLS[name].removeprefix(f"{REPOSITORY}/blob/HEAD/")).is_file()


def test_nox_runs_all_of_them():
    text = (ROOT / "noxfile.py").read_text()
    assert re.findall(r'"(3\.\d+)"', re.search(r"python=\[(.*?)\]", text)[1]) == PYTHONS
    assert re.findall(r'"(\d\.\d)"', re.search(r'"django", \[(.*?)\]', text)[1]) == DJANGOS


def test_ci_looks_for_the_newest():
    listed = re.search(r"for version in (.+); do", (ROOT / ".ci" / "run").read_text())[1].split()
    assert listed == PYTHONS[::-1]


def test_readme_names_the_oldest_and_the_newest():
    stated = f"Python {PYTHONS[0]} to {PYTHONS[-1]}, Django {DJANGOS[0]} to {DJANGOS[-1]}."
    assert stated in page("README.md").text
