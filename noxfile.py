"""Run the tests on every supported pair of Python and Django.

All of them: `nox`. One of them: `nox -s "tests-3.13(django='6.1')"`, as `nox --list` shows it.
"""

import nox


@nox.session(python=["3.10", "3.11", "3.12", "3.13", "3.14", "3.15"], venv_backend="venv")
@nox.parametrize("django", ["5.2", "6.0", "6.1"])
def tests(session, django):
    if django != "5.2" and session.python in {"3.10", "3.11"}:
        session.skip("Django 6 needs Python 3.12")
    session.install("--upgrade", "pip")  # older ones do not know --group
    session.install("-e", ".", "--group", "test", f"django=={django}.*")
    session.run("python", "-m", "pytest", *session.posargs)
