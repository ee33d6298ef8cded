"""Which tests stay in one process, and which of these groups begin first."""

from collections import defaultdict

from .servers.rows import ROWS, Row

__all__ = ["arrange", "name_group", "row_of"]

#: Files whose tests take long, one after the other.
LONGEST = {
    *("test_soak.py", "test_tenants.py", "test_packages.py", "test_processes.py"),
    *("test_behaviours.py", "test_commands.py", "test_chat.py", "test_first_hour.py"),
    *("test_samples.py", "test_examples.py", "test_wrong.py", "test_build.py", "test_proxies.py"),
    *("test_fuzz.py", "test_many_clients.py", "test_asgi_servers.py", "test_gunicorn_ends.py"),
    *("test_hanging.py", "test_faults.py", "test_redis.py", "test_servers.py"),
    "test_thread_loop.py",
}
#: Files of tests/contract with servers that no other has: half of what a thorough row takes.
APART = {"test_groups.py", "test_histories.py", "test_presence.py"}
PLACES = {row.name: (not row.thorough, place) for place, row in enumerate(ROWS)}


def row_of(item):
    row = item.callspec.params.get("row") if hasattr(item, "callspec") else None
    return row if isinstance(row, Row) else None


def name_group(item):
    row = row_of(item)
    if row is None:
        return str(item.path)
    apart = "-apart" if row.thorough and item.path.name in APART else ""
    return f"{item.path.parent.name}-{row.name}{apart}"


def arrange(items):
    """All that is of a row waits most of the time, and all else computes: both are under way at any
    time. Of both those come first that take longest; at the end there are short ones.
    """
    groups = defaultdict(list)
    for item in items:
        groups[item.get_closest_marker("xdist_group").args[0]].append(item)
    of_rows, longest, others = [], [], []
    for group in groups.values():
        if row_of(group[0]):
            of_rows.append(sorted(group, key=place))
        else:
            (longest if group[0].path.name in LONGEST else others).append(group)
    of_rows.sort(key=lambda group: place(group[0]))
    for kind in (longest, others):
        kind.sort(key=len, reverse=True)
    starts = [*spread(of_rows, 0, 0.9), *spread(longest, 0, 0.5), *spread(others, 0.5, 1)]
    return [item for _, group in sorted(starts, key=lambda start: start[0]) for item in group]


def place(item):
    """Those rows come first that take longest, and each in one go: so its servers end before the
    next one's start.
    """
    row = row_of(item)
    return PLACES.get(row.name, (False, 0)) if row else (False, 0)


def spread(groups, first, last):
    return [(first + (last - first) * n / len(groups), group) for n, group in enumerate(groups)]
