"""Kept figures anew from the rows they are sums of, or a look whether they are right."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.ledger import services as ledger
from config import invariants
from config.flash_invariants import tallies_are_the_sums_of_units
from config.ledger_invariants import carried_sums_are_sums_of_postings
from payments.checkout.selectors import history_differences
from payments.checkout.services import histories_recount
from payments.statistics import services as payments
from shop.flash_sales.services import tallies_mend
from shop.statistics import services as sales


class Command(BaseCommand):
    help = (
        "Count sales, payments and the ledger's sums anew; with --check only compare what is kept "
        "with the rows."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing that is right")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        if not check:
            # First: the dashboards' figures of an ended run are counted but once.
            runs = tallies_mend()
            days = max(sales.sales_recount(), payments.methods_recount())
            histories = histories_recount()
            self.stdout.write(f"{days} days and {histories} long histories counted")
            self.stdout.write(f"{runs} flash runs whose tallies were wrong")
            self.stdout.write(f"{ledger.sums_recount()} batches of the ledger summed")
            return
        differences = sales.sales_differences() + payments.methods_differences()
        differences += [*history_differences(), *tallies_are_the_sums_of_units()]
        differences += invariants.breaches([carried_sums_are_sums_of_postings])
        for line in differences:
            self.stderr.write(line)
        if differences:
            raise CommandError(f"{len(differences)} differences: manage.py rebuild_statistics")
        self.stdout.write("The figures are the sums of the orders, payments, refunds and postings.")
