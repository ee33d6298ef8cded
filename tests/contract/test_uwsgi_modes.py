"""Which ways of running uWSGI the contract suite has run on, and why not on the others."""

import os

from ..servers.rows import ROWS, Row

MODES = {
    "uwsgi-processes",
    "uwsgi-threads",
    "uwsgi-gevent",
    "uwsgi-gevent-late-patch",
    "uwsgi-gevent-unpatched",
    "uwsgi-ugreen",
    "uwsgi-http-socket",
    "uwsgi-http-socket-gevent",
    "uwsgi-https",
    "uwsgi-nginx",
}


def reason_against(row):
    """Why the suite leaves out this row here, or None."""
    wanted = os.environ.get("DWEBSOCKET_TEST_ROWS")
    if wanted and row.name not in wanted.split(","):
        return "not named by DWEBSOCKET_TEST_ROWS"
    if row.extra and not wanted:
        return "much like another: DWEBSOCKET_TEST_ROWS must name it"
    return row.missing and f"{row.missing} is not installed"


def test_every_mode_runs_or_says_why_not(request, capsys):
    """A mode whose cases were collected, with a package that is there, runs."""
    rows = {row.name: row for row in ROWS if row.name.startswith("uwsgi-")}
    assert set(rows) == MODES
    collected = {
        item.callspec.params["row"].name
        for item in request.session.items
        if hasattr(item, "callspec") and isinstance(item.callspec.params.get("row"), Row)
    }
    whole = any("test_messages" in item.nodeid for item in request.session.items)
    lines = []
    for name, row in rows.items():
        reason = reason_against(row)
        if whole and reason is None:
            assert name in collected, f"{name} was left out without a reason"
        lines.append(f"{name}: {'runs' if reason is None else 'LEFT OUT, ' + reason}")
    with capsys.disabled():
        print("\n" + "\n".join(lines))
