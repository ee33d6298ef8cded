"""What an installation has of pyproject.toml, for a process that runs from a checkout."""

from pathlib import Path

__all__ = ["install_entry_points"]

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def install_entry_points(directory):
    """Make a directory that, in PYTHONPATH, tells pytest of our plugin."""
    text = PROJECT.read_text()  # no tomllib in Python 3.10
    stated = text.partition("[project.entry-points.pytest11]\n")[2].partition("\n[")[0]
    metadata = directory / "dwebsocket-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: dwebsocket\nVersion: 0\n")
    (metadata / "entry_points.txt").write_text("[pytest11]\n" + stated.replace('"', ""))
