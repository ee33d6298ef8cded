"""What manage.py finds in the project of the examples."""

import pytest

from ..servers.examples import manage


@pytest.mark.parametrize(
    "command",
    [
        ("check", "--fail-level", "WARNING"),
        ("makemigrations", "--check", "--dry-run"),
    ],
)
def test_nothing(command, example_database):
    manage(example_database, *command)
