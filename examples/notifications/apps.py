from django.apps import AppConfig
from django.db import transaction
from django.db.models.signals import post_save


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self):
        post_save.connect(tell_pages, sender="notifications.Notification", dispatch_uid="pages")


def tell_pages(instance, created, **kwargs):
    """Whoever has saved it, a form, the admin or a task: once it is committed all pages know."""
    from notifications import pages

    if created:
        transaction.on_commit(lambda: pages.tell(instance.as_event()))
