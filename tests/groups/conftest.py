"""Members in the test process, and in server processes that Redis connects."""

from ..glue.site import make_site

__all__ = ["make_site"]
