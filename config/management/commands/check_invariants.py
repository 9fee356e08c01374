"""Check everything that must hold; exit code 1 and a line for each breach."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import invariants


class Command(BaseCommand):
    help = "Check stock, holds, orders, payments, refunds and the outbox against each other."

    def handle(self, *args: Any, **options: Any) -> None:
        found = invariants.breaches()
        for line in found:
            self.stderr.write(line)
        if found:
            raise CommandError(f"{len(found)} breaches", returncode=1)
        self.stdout.write(f"{len(invariants.CHECKS)} invariants hold")
