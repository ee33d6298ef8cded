from django import forms

from notifications.models import Notification


class NotificationForm(forms.ModelForm):
    class Meta:
        model = Notification
        fields = ["level", "text"]
        widgets = {
            "level": forms.RadioSelect,
            "text": forms.TextInput(
                {
                    "aria-label": "Text",
                    "placeholder": "What should everybody know?",
                    "autocomplete": "off",
                }
            ),
        }
