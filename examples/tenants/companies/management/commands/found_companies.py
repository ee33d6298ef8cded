from typing import Any

from django.core.management import BaseCommand

from companies.models import Company, Domain


class Command(BaseCommand):
    help = "Make two companies: acme.localhost and globex.localhost"

    def handle(self, **options: Any) -> None:
        for name in ("Acme", "Globex"):
            company, is_new = Company.objects.get_or_create(schema_name=name.lower(), name=name)
            if is_new:
                Domain.objects.create(
                    tenant=company, domain=f"{name.lower()}.localhost", is_primary=True
                )
            self.stdout.write(f"{name}: http://{name.lower()}.localhost:8000/")
