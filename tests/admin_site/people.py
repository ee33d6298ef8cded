"""Makes the users of the site: python -m tests.admin_site.people."""

import os

import django

#: By name, what each may do; all have the password "secret", and may enter the admin.
PEOPLE = {
    "root": None,  # everything
    "watcher": ["view_connection"],
    "closer": ["view_connection", "close_connection"],
    "blind": ["close_connection"],
    "nobody": [],
}


def make():
    from django.contrib.auth.models import Permission, User

    for name, codenames in PEOPLE.items():
        user = User.objects.create_user(name, password="secret", is_staff=True)
        user.is_superuser = codenames is None
        user.save()
        found = Permission.objects.filter(
            content_type__app_label="dwebsocket", codename__in=codenames or []
        )
        assert len(found) == len(codenames or [])
        user.user_permissions.set(found)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.admin_site.settings"
    django.setup()
    make()
