"""What the code host shows besides the documentation: its links and its commands are right."""

import re

import pytest

from ..docs.pages import ROOT, Page
from .project import REPOSITORY

OF_EXAMPLES = [
    "examples/README.md",
    "examples/deploy/README.md",
    "examples/gateway/README.md",
]
PAGES = [Page(ROOT / name) for name in ("CONTRIBUTING.md", "SECURITY.md", *OF_EXAMPLES)]


@pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)
class TestPage:
    def test_links_lead_somewhere(self, shown):
        for link in shown.links:
            if link.startswith("https:"):
                assert link.startswith(f"{REPOSITORY}/"), link
            else:
                assert (shown.path.parent / link).exists(), link

    def test_targets_are_in_the_makefile(self, shown):
        targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
        commands = re.findall(r"(?:`|^ {4})make (?:\w+=\S+ )*(\w+)", shown.text, re.M)
        assert set(commands) <= targets


@pytest.mark.parametrize("name", OF_EXAMPLES)
def test_its_table_names_what_lies_beside_it(name):
    shown = Page(ROOT / name)
    named = [path for row in shown.tables[0].rows for path in re.findall(r"`([^`]+)`", row[0])]
    assert named
    assert all((shown.path.parent / path).exists() for path in named)
