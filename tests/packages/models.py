import reversion
from auditlog.registry import auditlog
from django.db import models
from simple_history.models import HistoricalRecords


class Note(models.Model):
    """Watched by all that watch models."""

    text = models.TextField()
    history = HistoricalRecords()

    class Meta:
        app_label = "packages"

    def __str__(self):
        return self.text


reversion.register(Note)
auditlog.register(Note)
