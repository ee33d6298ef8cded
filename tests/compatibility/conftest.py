"""Old views in the test process."""

from ..glue.site import make_reports, make_site, make_user

__all__ = ["make_reports", "make_site", "make_user"]
