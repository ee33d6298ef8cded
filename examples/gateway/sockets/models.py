from django.db import models


class Visit(models.Model):
    """Somebody who has been here."""

    ref = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.ref
