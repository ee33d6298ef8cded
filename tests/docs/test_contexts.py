"""The page of contexts says of each kind of state and each package what the code does."""

import re

from dwebsocket.running.known_middleware import KNOWN

from .pages import ROOT, code_in, page

SHOWN = page("docs/howto/contexts.md")
HOLDING = (ROOT / "tests" / "project" / "holding.py").read_text()
KINDS = re.findall(r"^@kind.*\ndef (\w+)", HOLDING, re.M)


def test_each_kind_of_state_is_tested():
    """tests/contract/test_contexts.py has a case for each row, on every server."""
    rows = SHOWN.table("What middleware has set up").rows
    assert len(rows) == len(KINDS)
    assert set(WORDS) == set(KINDS)
    for words in WORDS.values():
        assert any(words in row[0] for row in rows)


WORDS = {
    "connection_attribute": "an attribute of `connection`",
    "context_variable": "a context variable",
    "local": "asgiref's `Local`",
    "open_transaction": "a transaction",
    "query_wrapper": "`connection.execute_wrapper()`",
    "signal_receiver": "a signal's receiver",
    "thread_local": "`threading.local`",
}


def test_ready_contexts_and_their_packages():
    rows = SHOWN.table("Context").rows
    assert {code_in(row[0])[0] for row in rows} == set(KNOWN.values())
    named = {name.replace("-", "") for row in rows for name in re.findall(r"django-[\w-]+", row[1])}
    for name, context in KNOWN.items():
        package = name.partition(".")[0].replace("_", "").removeprefix("django")
        [row] = [row for row in rows if code_in(row[0])[0] == context]
        shown = row[1].replace("-", "")
        assert package in shown, (package, shown)
    assert len(named) == len(KNOWN)
