"""Every code block has somebody who runs it, and every link leads somewhere."""

import re

import pytest

from .pages import PAGES, ROOT, page
from .projects import SETTINGS
from .test_behaviours import BEHAVIOURS

# language: who runs it. python and html become files of a project, see projects.py.
RUNNERS = {
    "python": "test_behaviours.py",
    "html": "test_browser.py",
    "js": "test_browser.py",
    "console": "test_commands.py",
    "nginx": "test_nginx.py",
    "ini": "test_uwsgi.py",
    "toml": "typing/test_samples.py",
    "text": "test_logging.py, test_doctor.py",
    "{toctree}": "sphinx",
}

# Looked at by the server that test_commands.py starts.
SERVED = {SETTINGS, "gunicorn.conf.py", "gunicorn_tls.conf.py", "mysite/asgi.py"}


@pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)
class TestPage:
    def test_every_block_is_of_a_language_that_is_run(self, shown):
        assert {block.language for block in shown.blocks} <= set(RUNNERS)

    def test_no_fence_is_missed(self, shown):
        """A fence that is indented, or of tildes, would be no block to the other tests."""
        assert not re.search(r"^\s*(```|~~~)", shown.prose, re.M)
        assert not re.search(r"^ {4,}\S", re.sub(r"^[-*\d].*\n( +.*\n)*", "", shown.prose), re.M)

    def test_files_are_named_and_stay_in_the_project(self, shown):
        for block in shown.blocks:
            if block.language in ("python", "html", "nginx", "ini", "toml"):
                assert block.file, f"{shown.name}:{block.line} does not name its file"
                assert not block.file.startswith("/")
                assert ".." not in block.file

    def test_python_has_a_behaviour(self, shown):
        """Settings alone are checked; other Python is also talked to."""
        files = {block.file for block in shown.blocks_in("python")} - SERVED
        if any("serve_" not in file for file in files):
            assert shown.name in BEHAVIOURS

    def test_links_lead_somewhere(self, shown):
        for link in shown.links:
            target, _, _ = link.partition("#")
            if not re.match(r"https?:|mailto:", link):
                assert (shown.path.parent / target).exists(), f"{shown.name}: {link}"

    def test_project_is_all_it_speaks_of(self, shown):
        assert not re.search(r"/work\b|/root\b|/home/|\bTODO\b|issue #\d", shown.text)


def test_quick_start_is_short():
    beyond = page("README.md").text.index("\n## Handlers\n")
    end = page("README.md").text.count("\n", 0, beyond)
    blocks = [block for block in page("README.md").blocks_in("python") if block.line < end]
    lines = [line for block in blocks for line in block.code.split("\n")]
    assert lines
    assert len([line for line in lines if line and not line.startswith("#")]) < 12


def test_index_shows_the_same_view_as_the_readme():
    shown = page("docs/index.md").blocks_in("python")[0].code.split("\n", 1)[1]
    assert page("README.md").blocks_in("python")[0].code.endswith(shown)


def test_every_page_of_docs_is_in_the_contents():
    contents = "".join(block.code for block in page("docs/index.md").blocks_in("{toctree}"))
    for shown in PAGES:
        name = shown.path.relative_to(ROOT).with_suffix("").as_posix()
        if name.startswith("docs/") and name != "docs/index":
            assert re.search(rf"^{re.escape(name.removeprefix('docs/'))}$", contents, re.M), name
