"""A site in the test process."""

from ..glue import site

__all__ = ["site"]  # configures Django
