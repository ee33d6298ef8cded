"""The table at the end: a line for each server and round."""

from collections import Counter

from conformance.suite import Result

BEHAVIORS = ("OK", "NON-STRICT", "INFORMATIONAL", "FAILED", "UNIMPLEMENTED")


def table(runs: dict[str, dict[str, Result]]) -> str:
    """As text; a column of its own for everything the suite said that is not in BEHAVIORS."""
    seen = {result.outcome.behavior for results in runs.values() for result in results.values()}
    columns = [*BEHAVIORS, *sorted(seen - set(BEHAVIORS))]
    rows = [["server", *columns, "closes OK"]]
    for name, results in runs.items():
        counts = Counter(result.outcome.behavior for result in results.values())
        closed = sum(result.outcome.close == "OK" for result in results.values())
        cells = [str(counts[column]) for column in columns]
        rows.append([name, *cells, f"{closed} of {len(results)}"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        row[0].ljust(widths[0])
        + "".join("  " + cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    )
