"""Settings of the example with tenants. For a machine of your own only: DEBUG is on and the key is
public. PostgreSQL is found as psql finds it: PGHOST, PGUSER, PGPASSWORD, PGDATABASE.
"""

import os

DEBUG = True
SECRET_KEY = "only-for-the-examples"
ALLOWED_HOSTS = [".localhost"]

SHARED_APPS = [
    "django_tenants",
    "companies",
    "django.contrib.contenttypes",
    "dwebsocket",
]
TENANT_APPS = ["notes"]
INSTALLED_APPS = [*SHARED_APPS, *TENANT_APPS]

# The host name says whose schema it is.
MIDDLEWARE = [
    "django_tenants.middleware.main.TenantMainMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
# That middleware is gone when a handler is called. Without this line its handshakes are refused.
WEBSOCKET_CONTEXTS = ["dwebsocket.contexts.tenant"]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]

DATABASES = {
    "default": {
        "ENGINE": "django_tenants.postgresql_backend",
        "NAME": os.environ.get("PGDATABASE", "tenants"),
        "USER": os.environ.get("PGUSER", ""),
        "HOST": os.environ.get("PGHOST", ""),
    }
}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
TENANT_MODEL = "companies.Company"
TENANT_DOMAIN_MODEL = "companies.Domain"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

ROOT_URLCONF = "notes.urls"
WSGI_APPLICATION = "hosting.wsgi.application"
STATIC_URL = "static/"
USE_TZ = True
