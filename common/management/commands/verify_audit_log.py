"""Walk the audit log's chain; exit code 1 and a line for each break."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from common.audit import selectors, services


class Command(BaseCommand):
    help = "Verify the audit log. Keep the digest it prints elsewhere, and give it next time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--anchor", action="append", default=[], help="a digest kept elsewhere")

    def handle(self, *args: Any, **options: Any) -> None:
        found = services.breaches(anchors=options["anchor"])
        for line in found:
            self.stderr.write(line)
        if found:
            raise CommandError(f"{len(found)} breaks", returncode=1)
        last = selectors.head()
        self.stdout.write(f"{last.number} batches, {last.digest}" if last else "nothing sealed yet")
