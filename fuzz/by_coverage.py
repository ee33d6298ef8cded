"""The search by ``atheris``: inputs that reach new code are kept and changed further."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["dwebsocket"]):
    from .invariants import check
    from .seeds import seeds


def search(seconds: int, directory: Path, seed: int) -> None:
    """Does not return: the process ends with 0, or with another status at the first finding."""
    corpus = directory / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds()):
        (corpus / f"seed-{number:02}").write_bytes(data)
    options = [
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        f"-artifact_prefix={directory}/",
        "-max_len=2048",
        "-timeout=120",  # seconds for one input, on a busy machine
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], check)
    atheris.Fuzz()
