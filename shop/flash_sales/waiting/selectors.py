"""The run that a waiting room is for."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.db.models.functions import Now

from shop.flash_sales import selectors
from shop.flash_sales.errors import SaleEnded
from shop.flash_sales.models import FlashRun


@dataclass(frozen=True, slots=True)
class Awaited:
    """A run, its sale's admissions a second (None: it has no waiting room), and the moment."""

    pk: int
    number: int
    slug: str
    rate: int | None
    starts_at: datetime
    now: datetime

    @property
    def open_seconds(self) -> float:
        return max(0.0, (self.now - self.starts_at).total_seconds())


def run_awaited(slug: str) -> Awaited:
    """The run that is open, or else the next one. Raises NoSuchSale, SaleEnded."""
    lasting = Q(ends_at=None) | Q(ends_at__gt=Now())
    runs = FlashRun.objects.filter(lasting, sale__slug=slug, ended_at=None)
    found = _awaited(runs.order_by("starts_at"))
    if found is None:
        selectors.sale_get(slug)
        raise SaleEnded
    return found


def run_by_key(pk: int) -> Awaited | None:
    return _awaited(FlashRun.objects.filter(pk=pk))


def _awaited(runs: object) -> Awaited | None:
    run = runs.select_related("sale").annotate(now=Now()).first()  # type: ignore[attr-defined]
    if run is None:
        return None
    sale = run.sale
    return Awaited(run.pk, run.number, sale.slug, sale.admission_rate, run.starts_at, run.now)
