"""``{% load dwebsocket %}``: the tag that puts the client on a page."""

from __future__ import annotations

from django import template
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.template import Context
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

__all__ = ["websocket_script"]

SCRIPT = "dwebsocket/websocket.js"

register = template.Library()


@register.simple_tag(takes_context=True)
def websocket_script(context: Context) -> SafeString:
    """``{% websocket_script %}``: load the client; the scripts after it have ``DWebSocket``.

    With the nonce of the page's Content Security Policy where there is one: Django's, when its
    context processor ``csp`` is installed, or that of django-csp. Raises ImproperlyConfigured where
    Django's static files are not installed.
    """
    if not apps.is_installed("django.contrib.staticfiles"):
        raise ImproperlyConfigured(
            "{% websocket_script %} needs 'django.contrib.staticfiles' in INSTALLED_APPS, which"
            f" serves {SCRIPT}. Without it serve that file of the package yourself, and write its"
            " <script> element in the place of the tag."
        )
    nonce = find_nonce(context)
    if nonce is None:
        return format_html('<script src="{}"></script>', static(SCRIPT))
    return format_html('<script src="{}" nonce="{}"></script>', static(SCRIPT), nonce)


def find_nonce(context: Context) -> object:
    """The nonce of the page, or None.

    Both make theirs when it becomes text, and are false before that.
    """
    nonce = context.get("csp_nonce")
    if nonce is None:
        nonce = getattr(context.get("request"), "csp_nonce", None)
    return nonce
