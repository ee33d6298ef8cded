"""The pages of the documentation, taken apart: code blocks, tables, links."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.M | re.S)
# The first line of a file shown in a block names it: "# mysite/urls.py", "<!-- … -->", "// …".
FILE_NAME = re.compile(r"^(?:#|//|<!--) (\S+\.\w+)( \(continued\))?(?: -->)?\n")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced code block. `file` is the file it shows, `continued` that it adds to that file."""

    language: str
    code: str
    line: int

    @property
    def file(self):
        match = FILE_NAME.match(self.code)
        return match[1] if match else None

    @property
    def continued(self):
        match = FILE_NAME.match(self.code)
        return bool(match and match[2])

    @property
    def commands(self):
        """The command lines of a `console` block, continued lines joined."""
        joined = self.code.replace("\\\n", " ")
        return [line[2:].strip() for line in joined.splitlines()]


@dataclass(frozen=True)
class Table:
    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Page:
    path: Path

    @property
    def name(self):
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self):
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def prose(self):
        """The page without its code blocks."""
        return FENCE.sub("", self.text)

    @cached_property
    def blocks(self):
        return [
            Block(match[1], match[2], self.text.count("\n", 0, match.start()) + 1)
            for match in FENCE.finditer(self.text)
        ]

    def blocks_in(self, language):
        return [block for block in self.blocks if block.language == language]

    @cached_property
    def tables(self):
        found = re.findall(r"(?:^\|.*\|\n)+", self.prose, re.M)
        return [parse_table(text) for text in found]

    def table(self, first_column):
        """The one table whose first column has this title."""
        (table,) = [table for table in self.tables if table.header[0] == first_column]
        return table

    @property
    def links(self):
        return LINK.findall(self.prose)


def parse_table(text):
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines()]
    header, _, *rows = [[cell.strip().replace("\\|", "|") for cell in line] for line in lines]
    assert all(len(row) == len(header) for row in rows), f"ragged table: {text}"
    return Table(header, rows)


def code_in(cell):
    """What stands between backticks in a cell or a paragraph."""
    return re.findall(r"`([^`]+)`", cell)


def page(name):
    return Page(ROOT / name)


PAGES = [
    Page(path)
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
]
