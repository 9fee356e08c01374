"""Demo customers with past purchases, and the demo superuser."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config import demo, flash_demo


class Command(BaseCommand):
    help = "Create the demo logins and their past purchases; does nothing the second time."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO_ALLOWED:
            raise CommandError("Demo users do not exist in production; DEMO_ALLOWED=1 names them.")
        demo.superuser_ensure()
        for customer in demo.CUSTOMERS:
            if demo.customer_ensure(customer, buys=settings.STRIPE_SANDBOX):
                self.stdout.write(f"demo customer {customer.email}")
        if run := flash_demo.run_ensure():
            self.stdout.write(f"demo flash sale {run.sale.slug} opens at {run.starts_at:%H:%M} UTC")
