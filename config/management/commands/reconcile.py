"""Compare with Stripe and with the exchange venue; exit code 1 where something is left."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common import clock
from payments.exchange import selectors as exchange
from payments.exchange import services as venue
from payments.exchange.errors import Unreachable as VenueUnreachable
from payments.stripe import services
from payments.stripe.errors import Refused, Unreachable
from payments.stripe.services.reconcile import DEFAULT_WINDOW

PROGRESS_EVERY = 500


def moment(text: str) -> datetime:
    """A date or time in ISO 8601; UTC where it names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is not a date like 2026-01-31") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 36500:
        raise ArgumentTypeError(f"{text} is not a number of days")
    return int(text)


class Command(BaseCommand):
    help = "Compare payments with Stripe's, exchange batches with the venue's; mend what is safe."

    def add_arguments(self, parser: ArgumentParser) -> None:
        window = parser.add_mutually_exclusive_group()
        window.add_argument("--days", type=days, default=DEFAULT_WINDOW.days)
        window.add_argument("--since", type=moment, help="a date or time, such as 2026-01-31")
        parser.add_argument("--dry-run", action="store_true", help="change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        since = options["since"] or clock.now() - timedelta(days=options["days"])
        self.told = 0
        try:
            report = services.payments_reconcile(
                since=since,
                dry_run=options["dry_run"],
                say=self.stdout.write,
                progress=self.progress,
            )
        except (Unreachable, Refused) as error:
            raise CommandError(f"Stripe gave no answer ({error}): the rest is unknown") from error
        self.stdout.write(report.summary())
        left = report.left + self.venue(since, dry_run=options["dry_run"])
        if left:
            raise CommandError(f"{left} left for people to look at", returncode=1)

    def venue(self, since: datetime, *, dry_run: bool) -> int:
        """How much is left of what differs from the venue's statement; nothing without a venue."""
        if not exchange.is_open():
            return 0
        try:
            report = venue.venue_reconcile(since=since, dry_run=dry_run, say=self.stdout.write)
        except VenueUnreachable as error:
            raise CommandError(f"The venue gave no answer ({error})") from error
        self.stdout.write(report.summary())
        return report.left

    def progress(self, compared: int) -> None:
        if compared - self.told >= PROGRESS_EVERY:
            self.told = compared
            self.stderr.write(f"{compared} payments compared …")
