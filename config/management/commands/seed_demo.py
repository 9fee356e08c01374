"""Demo customers with past purchases, and the demo superuser."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config import chain_demo, demo, flash_demo
from payments.market.services import prices_tick
from payments.statistics.services import methods_recount
from shop.statistics.services import sales_recount


class Command(BaseCommand):
    help = "Create the demo logins and their past purchases; does nothing the second time."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO_ALLOWED:
            raise CommandError("Demo users do not exist in production; DEMO_ALLOWED=1 names them.")
        demo.superuser_ensure()
        made = False
        for customer in demo.CUSTOMERS:
            if demo.customer_ensure(customer, buys=settings.STRIPE_SANDBOX):
                self.stdout.write(f"demo customer {customer.email}")
                made = True
        # Their purchases were moved into the past, where nothing would look for them.
        if made:
            sales_recount()
            methods_recount()
        # A walk that needs no network: the first visitor sees prices, not the first tick's.
        if settings.MARKET_PROVIDERS == ["simulated"]:
            prices_tick(every=settings.MARKET_TICK_SECONDS)
        if address := chain_demo.hot_account_ensure():
            self.stdout.write(f"refunds in coins are sent from {address}")
        if run := flash_demo.run_ensure():
            self.stdout.write(f"demo flash sale {run.sale.slug} opens at {run.starts_at:%H:%M} UTC")
