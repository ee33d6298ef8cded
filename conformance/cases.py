"""The numbers of test cases, such as 6.4.2, and choosing among them."""

import fnmatch
import re


def sort_key(case: str) -> tuple[int, ...]:
    return tuple(map(int, case.split(".")))


def group_of(case: str) -> int:
    return sort_key(case)[0]


def choose(patterns: list[str], known: list[str]) -> list[str]:
    """The known cases that one of the patterns names, in their order.

    Raises:
        ValueError: a pattern names none.
    """
    chosen: set[str] = set()
    for pattern in patterns:
        named = {case for case in known if matches(pattern, case)}
        if not named:
            raise ValueError(f"no case is named by {pattern!r}; write 3, 1-7, 9.1.* or 6.4.2")
        chosen |= named
    return sorted(chosen, key=sort_key)


def matches(pattern: str, case: str) -> bool:
    """3 is the group 3.*, 1-7 are the groups 1.* to 7.*."""
    if groups := re.fullmatch(r"(\d+)(?:-(\d+))?", pattern):
        first, last = int(groups[1]), int(groups[2] or groups[1])
        return first <= group_of(case) <= last
    return fnmatch.fnmatchcase(case, pattern)


def by_group(cases: list[str]) -> dict[int, list[str]]:
    groups: dict[int, list[str]] = {}
    for case in cases:
        groups.setdefault(group_of(case), []).append(case)
    return groups
