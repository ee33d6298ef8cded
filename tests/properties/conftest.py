"""How hypothesis searches here: the same examples at each run, and no deadline.

``HYPOTHESIS_PROFILE=search`` takes new random examples, and more of them.
"""

import os

from hypothesis import HealthCheck, settings

# Coverage and a busy machine make generating slow; that is no fault of a test.
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=100,
    suppress_health_check=QUIET,
    print_blob=True,
)
settings.register_profile(
    "search",
    settings.get_profile("ci"),
    derandomize=False,
    max_examples=5000,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
