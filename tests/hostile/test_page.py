"""docs/security.md names a test for each attack: they are these tests, and all of them."""

import ast
from pathlib import Path

from ..docs.pages import code_in, page

HERE = Path(__file__).parent
LIMITS = HERE.with_name("limits")


def find_tests(path):
    return {
        f"{path.name}::{node.name}"
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def rows_of(*titles):
    security = page("docs/security.md")
    return [row for title in titles for row in security.table(title).rows]


def test_the_tables_name_the_tests_that_exist():
    rows = rows_of("Attack", "Attack by many")
    named = [name for row in rows for name in code_in(row[-1])]
    assert len(named) == len(set(named))
    files = {*HERE.glob("test_*.py"), *LIMITS.glob("test_*.py")} - {Path(__file__)}
    assert set(named) == set().union(*map(find_tests, files))


def test_every_attack_has_an_answer_a_bound_and_a_test():
    for row in rows_of("Attack", "Attack by many", "Attack over HTTP/2"):
        assert all(row), row
