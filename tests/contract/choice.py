"""Which variants of a case run on which row."""

import os

from ..order import row_of

__all__ = ["fits", "is_spared"]


def fits(found, wanted):
    """Of a list any."""
    return found in wanted if isinstance(wanted, list) else found == wanted


def is_spared(item):
    """Whether another variant has shown that the row does this, and other rows run this one."""
    row = row_of(item)
    if row is None or runs_all(row):
        return False
    return any(
        name in item.callspec.params and not fits(item.callspec.params[name], value)
        for marker in item.iter_markers("elsewhere")
        if not any(getattr(row, ability) for ability in marker.args)
        for name, value in marker.kwargs.items()
    )


def runs_all(row):
    """Whether every variant is wanted of this row."""
    if os.environ.get("DWEBSOCKET_TEST_VARIANTS") == "few":
        return False
    return row.thorough or "DWEBSOCKET_TEST_ROWS" in os.environ
