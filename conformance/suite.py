"""Run cases of the Autobahn test suite against one server."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from conformance.install import DIRECTORY, ENVIRONMENT, suite_variables

REPORTS = DIRECTORY / "reports"

# The longest cases take some ten seconds on a busy machine, and a server that hangs must not hold
# us up for ever.
SECONDS_PER_CASE = 30
SECONDS_TO_START = 30

LIST_CASES = """
from autobahntestsuite import case
from autobahntestsuite.caseset import CaseSet
print(" ".join(CaseSet(case.CaseSetname, case.CaseBasename, case.Cases, case.CaseCategories,
                       case.CaseSubCategories).CasesIndices))
"""


@dataclass(frozen=True)
class Outcome:
    """What the suite says of a case: of the messages, and of how the connection ended."""

    behavior: str
    close: str

    def __str__(self) -> str:
        return f"{self.behavior}, close {self.close}"


NOT_RUN = Outcome("NOT RUN", "NOT RUN")


@dataclass(frozen=True)
class Result:
    outcome: Outcome
    report: Path | None = None  # a page of the suite for people

    def explain(self) -> str:
        """In the suite's own words, why it judged so."""
        if self.report is None:
            return "The suite did not finish its group in time, or did not reach the server."
        report = json.loads(self.report.with_suffix(".json").read_text())
        return f"{report['result']} {report['resultClose']} See {self.report}"


def list_cases() -> list[str]:
    command = [str(ENVIRONMENT / "bin" / "python"), "-c", LIST_CASES]
    result = subprocess.run(
        command, env=suite_variables(), stdout=subprocess.PIPE, check=True, text=True
    )
    return result.stdout.split()


def run_cases(agent: str, url: str, cases: list[str]) -> dict[str, Result]:
    """The result of each case. The suite writes its reports at the end of a run: a run that ends
    too early has none.
    """
    directory = REPORTS / agent / cases[0].partition(".")[0]
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    specification = directory / "specification.json"
    specification.write_text(
        json.dumps(
            {
                "outdir": str(directory),
                "servers": [{"agent": agent, "url": url}],
                "cases": cases,
                "exclude-cases": [],
                "exclude-agent-cases": {},
            }
        )
    )
    run_client(specification, SECONDS_TO_START + SECONDS_PER_CASE * len(cases))
    return read_results(directory, agent, cases)


def run_client(specification: Path, timeout: float) -> None:
    wstest = str(ENVIRONMENT / "bin" / "wstest")
    command = [wstest, "-m", "fuzzingclient", "-s", str(specification)]
    with specification.with_name("wstest.log").open("wb") as log:
        try:
            subprocess.run(
                command,
                cwd=specification.parent,
                env=suite_variables(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            pass  # its cases have no report


def read_results(directory: Path, agent: str, cases: list[str]) -> dict[str, Result]:
    index = directory / "index.json"
    found = json.loads(index.read_text()).get(agent, {}) if index.exists() else {}
    results = dict.fromkeys(cases, Result(NOT_RUN))
    for case, entry in found.items():
        results[case] = Result(
            Outcome(entry["behavior"], entry["behaviorClose"]),
            (directory / entry["reportfile"]).with_suffix(".html"),
        )
    return results
