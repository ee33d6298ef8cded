"""What the admin and permissions know of a WebSocket. There is no table."""

from __future__ import annotations

from django.db import models

__all__ = ["Connection"]


class NoRows(models.Manager["Connection"]):
    """Asks no database: ``dumpdata``, for one, would look for the table."""

    def get_queryset(self) -> models.QuerySet[Connection]:
        """None."""
        return super().get_queryset().none()


class Connection(models.Model):
    """Has the permissions ``dwebsocket.view_connection`` and ``dwebsocket.close_connection``, which
    ``migrate`` makes. No migration belongs to it.
    """

    id: models.CharField[str, str] = models.CharField(primary_key=True, max_length=50)

    objects = NoRows()

    class Meta:
        app_label = "dwebsocket"
        managed = False
        default_permissions = ("view", "close")
        verbose_name = "WebSocket"
        verbose_name_plural = "WebSockets"

    _shown: str | None = None  # what the log of the admin calls it

    def __str__(self) -> str:
        return self._shown or str(self.id)
