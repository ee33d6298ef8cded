"""What differs from the settings of tests.project, as DWEBSOCKET_TEST_SETTINGS has it."""

from pathlib import Path

#: In front of Django's own middleware, behind its sessions, behind its authentication, and last:
#: where each package's documentation wants it.
FIRST = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django_guid.middleware.guid_middleware",
    "log_request_id.middleware.RequestIDMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "debug_toolbar.middleware.DebugToolbarMiddleware",
    "silk.middleware.SilkyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
]
WITH_SESSION = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django_session_timeout.middleware.SessionTimeoutMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
WITH_USER = [
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "session_security.middleware.SessionSecurityMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "hijack.middleware.HijackUserMiddleware",
    "impersonate.middleware.ImpersonateMiddleware",
    "crum.CurrentRequestUserMiddleware",
    "django_currentuser.middleware.ThreadLocalUserMiddleware",
    "easyaudit.middleware.easyaudit.EasyAuditMiddleware",
    "auditlog.middleware.AuditlogMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "reversion.middleware.RevisionMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "request_logging.middleware.LoggingMiddleware",
]
LAST = [
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django_user_agents.middleware.UserAgentMiddleware",
    "django_ratelimit.middleware.RatelimitMiddleware",
    "waffle.middleware.WaffleMiddleware",
    "maintenance_mode.middleware.MaintenanceModeMiddleware",
    "django_browser_reload.middleware.BrowserReloadMiddleware",
    "querycount.middleware.QueryCountMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

APPS = [
    *("allauth", "allauth.account", "auditlog", "axes", "compressor", "corsheaders", "csp"),
    *("debug_toolbar", "django_browser_reload", "django_filters", "django_guid", "django_htmx"),
    *("django_otp", "django_otp.plugins.otp_totp", "django_prometheus", "django_structlog"),
    *("django_user_agents", "easyaudit", "guardian", "hijack", "impersonate"),
    *("maintenance_mode", "rest_framework", "reversion", "session_security", "silk"),
    *("simple_history", "waffle"),
]


def make_settings(database):
    """The settings of the project with all of them.

    Args:
        database: an entry of DATABASES.
    """
    return {
        "DATABASES": {"default": database},
        "ROOT_URLCONF": "tests.packages.urls",
        "INSTALLED_APPS": [
            *("django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes"),
            *("django.contrib.sessions", "django.contrib.messages", "django.contrib.staticfiles"),
            *APPS,
            *("dwebsocket", "tests.packages"),
        ],
        "MIDDLEWARE": [*FIRST, *WITH_SESSION, *WITH_USER, *LAST],
        "WEBSOCKET_CONTEXTS": [
            "dwebsocket.contexts.request_id",
            "dwebsocket.contexts.current_request",
        ],
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        "AUTHENTICATION_BACKENDS": [
            "axes.backends.AxesStandaloneBackend",
            "django.contrib.auth.backends.ModelBackend",
            "guardian.backends.ObjectPermissionBackend",
            "allauth.account.auth_backends.AuthenticationBackend",
        ],
        "DEBUG": True,
        "DEBUG_TOOLBAR_CONFIG": {"SHOW_TOOLBAR_CALLBACK": "tests.packages.views.show_toolbar"},
        "STATIC_ROOT": str(Path(__file__).parent),
        "CORS_ALLOW_ALL_ORIGINS": True,
        "CONTENT_SECURITY_POLICY": {"DIRECTIVES": {"default-src": ["'self'"]}},
        "PERMISSIONS_POLICY": {"camera": []},
        "MAINTENANCE_MODE": False,
        "SESSION_EXPIRE_AT_BROWSER_CLOSE": True,
        # The session is made once, and its last server may start long after.
        "SESSION_SECURITY_WARN_AFTER": 80_000,
        "SESSION_SECURITY_EXPIRE_AFTER": 86_400,
    }
