"""The settings of examples/tenants, and further addresses at which notes are taken."""

from hosting.settings import *  # noqa: F403

ROOT_URLCONF = "tests.examples.tenant_urls"
