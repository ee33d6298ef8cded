"""The README as PyPI shows it: it resolves no relative link, and knows no file but this one."""

import re

import pytest
import readme_renderer.markdown

from ..docs.pages import ROOT, page
from .project import REPOSITORY

README = page("README.md")
#: What the code host calls a file, a folder, and the bytes of a file, on its main branch.
PAGE, FOLDER, BYTES = (f"{REPOSITORY}/{kind}/HEAD/" for kind in ("blob", "tree", "raw"))


@pytest.fixture(scope="module")
def rendered():
    return readme_renderer.markdown.render(README.text)


def links(rendered):
    """All but those that the renderer itself gives to headings."""
    found = re.findall(r'\b(?:href|src)="(?!#user-content-)([^"]+)"', rendered)
    assert len(found) > 20
    return found


def test_every_link_is_absolute(rendered):
    for link in links(rendered):
        assert re.match(r"https://|http://127\.0\.0\.1:8000/", link), link


def test_every_link_names_what_is_in_the_tree(rendered):
    for link in links(rendered):
        address, _, heading = link.partition("#")
        if address.startswith((PAGE, BYTES)):
            path = ROOT / address.removeprefix(PAGE).removeprefix(BYTES)
            assert path.is_file(), link
            assert not heading or heading in anchors(path.read_text()), link
        elif address.startswith(FOLDER):
            assert (ROOT / address.removeprefix(FOLDER)).is_dir(), link
        else:
            assert address == REPOSITORY or "127.0.0.1" in address, f"who sees to {link}?"


def anchors(text):
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w -]", "", line).lower().replace(" ", "-") for line in headings}


def test_every_reference_is_defined(rendered):
    """Markdown leaves one that is not as it stands, in brackets."""
    prose = re.sub(r"<pre.*?</pre>|<code>.*?</code>", "", rendered, flags=re.S)
    assert "[" not in prose
    assert "]" not in prose


def test_every_definition_is_used():
    names = re.findall(r"^\[([^\]]+)\]: ", README.text, re.M)
    used = re.findall(r"\[([^\]]+)\]\[([^\]]*)\]", README.prose)
    assert sorted(names) == sorted(
        {(name or text).lower().replace("\n", " ") for text, name in used}
    )


def test_pictures_are_small():
    pictures = re.findall(rf"{re.escape(BYTES)}(\S+)", README.text)
    assert pictures
    for name in pictures:
        assert (ROOT / name).stat().st_size < 100_000
