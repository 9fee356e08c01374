"""Flash sales with a run that is open."""

from datetime import timedelta
from typing import Any

from common import clock
from payments.checkout import services as checkout
from payments.intake import services as machine
from shop.flash_sales import services
from shop.flash_sales.models import FlashRun, FlashSale
from shop.flash_sales.services import Offer, Plan
from shop.flash_schedules.models import FlashSchedule
from shop.flash_schedules.rules import Frequency, Repeat
from shop.flash_schedules.services import schedule_create
from tests.factories.shop import ProductFactory
from tests.factories.users import StaffFactory, UserFactory
from tests.races.parallel import capture_of

HOUR = timedelta(hours=1)


def planned_run(
    *, units: int, price: int = 500, stock: int | None = None, ends: bool = False, **limits: Any
) -> FlashRun:
    """The first run of a new sale, an hour from now."""
    product = ProductFactory(stock=units if stock is None else stock)
    starts_at = clock.now() + HOUR
    return services.sale_create(
        slug=f"flash-{product.slug}",
        product=product.slug,
        offer=Offer(price, **limits),
        plan=Plan(units, starts_at, starts_at + HOUR if ends else None),
        actor_id=StaffFactory().pk,
    )


def open_run(run: FlashRun) -> FlashRun:
    """Its time has come."""
    run.starts_at = clock.now() - timedelta(minutes=1)
    run.save(update_fields=["starts_at"])
    return run


def daily(sale: FlashSale, *, units: int = 1, **how: Any) -> FlashSchedule:
    """A schedule that has the sale held every day, three hours from now by the database's clock."""
    first = clock.now() + 3 * HOUR
    rule = Repeat(Frequency.DAILY, first.date(), first.time().replace(microsecond=0), "UTC")
    return schedule_create(
        sale_id=sale.pk, rule=rule, allocation=units, run_minutes=30, actor_id=None, **how
    )


def live_run(**how: Any) -> FlashRun:
    return open_run(planned_run(**how))


def buy(run: FlashRun, quantity: int = 1, user_id: int | None = None) -> Any:
    """What somebody has bought of an open run, to be paid by card."""
    return checkout.flash_purchase(
        user_id=user_id or UserFactory().pk,
        slug=run.sale.slug,
        quantity=quantity,
        method="stripe",
    )


def pay(bought: Any) -> None:
    payment = bought.placed.payment
    machine.payment_settle(payment_id=payment.pk, capture=capture_of(payment))
