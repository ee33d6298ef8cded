from typing import Any

from django.db import models


class Notification(models.Model):
    class Level(models.TextChoices):
        INFO = "info", "News"
        GOOD = "good", "Done"
        WARNING = "warning", "Warning"

    level = models.CharField(max_length=10, choices=Level.choices, default=Level.INFO)
    text = models.CharField(max_length=200)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.text

    def as_event(self) -> dict[str, Any]:
        """What a page is told."""
        return {"id": self.pk, "level": self.level, "text": self.text, "created": self.created}
