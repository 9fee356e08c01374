"""The demo's flash sale: 200 lamps at half price, a minute from now and then every day."""

from datetime import timedelta
from typing import Final

from common import clock
from shop.catalogue.selectors import product_get
from shop.flash_sales import services
from shop.flash_sales.models import FlashRun, FlashSale
from shop.flash_sales.services import Offer, Plan
from shop.flash_schedules.models import FlashSchedule
from shop.flash_schedules.rules import Frequency, Repeat
from shop.flash_schedules.services import schedule_create
from shop.inventory.services import stock_adjust

SLUG: Final = "lamp-flash"
UNITS: Final = 200
OFFER: Final = Offer(
    2500,
    condition_name="Half price for everybody who is quick",
    condition_description="Two lamps a head, until all 200 are gone.",
    per_order_limit=2,
    per_user_limit=2,
)


def run_ensure() -> FlashRun | None:
    """Plan a run, unless one is planned or open; tomorrow's and all others are the schedule's."""
    if FlashRun.objects.filter(sale__slug=SLUG, ended_at=None).exists():
        return None
    product = product_get("lamp")
    # Twice: what is left of a run comes back only when the next one has taken its own.
    stock_adjust(
        product_id=product.pk, delta=2 * UNITS, reason="delivered for the flash sale", actor_id=None
    )
    plan = Plan(UNITS, clock.now() + timedelta(minutes=1))
    sale = FlashSale.objects.filter(slug=SLUG).first()
    if sale is not None:
        return services.run_schedule(sale_id=sale.pk, plan=plan, actor_id=None)
    run = services.sale_create(
        slug=SLUG, product=product.slug, offer=OFFER, plan=plan, actor_id=None
    )
    _daily(run)
    return run


def _daily(run: FlashRun) -> FlashSchedule:
    tomorrow = run.starts_at + timedelta(days=1)
    rule = Repeat(Frequency.DAILY, tomorrow.date(), tomorrow.time().replace(microsecond=0), "UTC")
    return schedule_create(
        sale_id=run.sale_id, rule=rule, allocation=UNITS, run_minutes=None, actor_id=None
    )
