from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import AppConfig
from django.db import transaction
from django.db.models.signals import post_save

from dwebsocket import Group

if TYPE_CHECKING:
    from notifications.models import Notification


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        post_save.connect(tell_pages, sender="notifications.Notification", dispatch_uid="pages")


def tell_pages(instance: Notification, created: bool, **kwargs: Any) -> None:
    """Whoever has saved it, a form, the admin or a task: once it is committed all pages know."""
    if created:
        # robust: what is saved is saved, also when the other processes cannot be reached.
        transaction.on_commit(
            lambda: Group("notifications").send_json(instance.as_event()), robust=True
        )
