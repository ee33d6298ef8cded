from django.apps import AppConfig
from django.db import transaction
from django.db.models.signals import post_save

from dwebsocket import Group


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self):
        post_save.connect(tell_pages, sender="notifications.Notification", dispatch_uid="pages")


def tell_pages(instance, created, **kwargs):
    """Whoever has saved it, a form, the admin or a task: once it is committed all pages know."""
    if created:
        # robust: what is saved is saved, also when the other processes cannot be reached.
        transaction.on_commit(
            lambda: Group("notifications").send_json(instance.as_event()), robust=True
        )
