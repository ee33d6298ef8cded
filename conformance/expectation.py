"""What each case is expected to give: one file for all servers, since the protocol is one."""

import json
from pathlib import Path

from conformance.cases import sort_key
from conformance.suite import NOT_RUN, Outcome, Result

FILE = Path(__file__).with_name("expected-results.json")


def load() -> dict[str, Outcome]:
    if not FILE.exists():
        return {}
    entries = json.loads(FILE.read_text(encoding="utf-8"))
    return {case: Outcome(**entry) for case, entry in entries.items()}


def save(outcomes: dict[str, Outcome]) -> None:
    """Write a line for each case, so that a change is a line of a diff."""
    lines = [
        f'  "{case}": {json.dumps(vars(outcomes[case]))}' for case in sorted(outcomes, key=sort_key)
    ]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def differences(results: dict[str, Result], expected: dict[str, Outcome]) -> list[str]:
    """A sentence for every case that was worse or better than expected."""
    return [
        f"{case}: expected {expected.get(case, 'nothing yet')}; was {result.outcome}. "
        f"{result.explain()}"
        for case, result in results.items()
        if result.outcome != expected.get(case)
    ]


def update(runs: list[dict[str, Result]], expected: dict[str, Outcome]) -> list[str]:
    """Write what the runs gave; what keeps us from it: cases not run, or not the same in all."""
    outcomes: dict[str, set[Outcome]] = {}
    for results in runs:
        for case, result in results.items():
            outcomes.setdefault(case, set()).add(result.outcome)
    problems = [
        f"{case}: " + " / ".join(sorted(map(str, found)))
        for case, found in outcomes.items()
        if len(found) > 1 or NOT_RUN in found
    ]
    if not problems:
        save(expected | {case: found.pop() for case, found in outcomes.items()})
    return problems
