"""docs/schema.md and docs/images/schema.svg from the models; with --check only compared."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.schema_docs import page, picture
from config.schema_docs.tables import foreign, tables


class Command(BaseCommand):
    help = "Write the page and the picture of the database schema."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail when stale")
        parser.add_argument("--folder", type=Path, default=settings.BASE_DIR / "docs")

    def handle(self, *args: Any, check: bool, folder: Path, **options: Any) -> None:
        found = tables()
        made = {
            folder / "schema.md": page.markdown(found, foreign()),
            folder / "images" / "schema.svg": picture.svg(found),
        }
        if check:
            _compare(made)
        else:
            _write(made)
        self.stdout.write(f"schema: {len(found)} tables, page and picture up to date")


def _write(made: dict[Path, str]) -> None:
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _compare(made: dict[Path, str]) -> None:
    stale = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    if stale:
        names = " and ".join(path.name for path in stale)
        raise CommandError(f"{names}: not what the models say; run manage.py schema_docs")
