"""Views in the test process."""

from .site import make_reports, make_site, make_user

__all__ = ["make_reports", "make_site", "make_user"]
