"""The same invariants by ``hypothesis``, for a Python that ``atheris`` has no wheel for."""

from __future__ import annotations

import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from tests.properties.streams import any_streams

from .invariants import CHECKS, check
from .seeds import seeds

inputs = st.builds(
    lambda number, first, second, data: bytes([number, first, second]) + data,
    st.integers(0, len(CHECKS) - 1),
    st.integers(0, 255),
    st.integers(0, 255),
    any_streams | st.sampled_from(seeds()).map(lambda data: data[3:]) | st.binary(max_size=200),
)


BATCH = settings(
    max_examples=200,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


def search(seconds: int, directory: Path, seed: int) -> None:
    """Raises at the first finding, once it is as small as it gets."""
    deadline = time.monotonic() + seconds
    tried = 0

    def check_and_keep(data: bytes) -> None:
        nonlocal tried
        tried += 1
        try:
            check(data)
        except BaseException:
            directory.mkdir(parents=True, exist_ok=True)
            (directory / "found").write_bytes(data)  # the last one kept is the smallest
            raise

    for data in seeds():
        check_and_keep(data)
    batches = 0
    while time.monotonic() < deadline:
        batch = given(inputs)(check_and_keep)
        seeded(seed + batches if seed else None)(BATCH(batch))()
        batches += 1
    print(f"{tried} inputs, nothing found")
