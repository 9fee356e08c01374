"""Customers with money and tokens, and a sale that is held again for every round."""

from datetime import timedelta
from uuid import uuid4

from accounts.ledger import rules as ledger
from accounts.ledger import services as books
from accounts.sessions import tokens
from accounts.sessions.models import RefreshFamily
from accounts.sessions.rules import jti_hash
from accounts.users.models import User
from common import clock
from common.db import transactional
from shop.catalogue.models import Product
from shop.flash_sales import services
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashSale, FlashUnit
from shop.flash_sales.services import Offer, Plan
from shop.inventory import services as inventory

MONEY = 10_000_000
PRICE = 500
HOUR = timedelta(hours=1)


def customers(count: int) -> list[str]:
    """Access tokens of that many customers, each with money in the wallet."""
    rows = [User(email=f"buyer{n}@example.org", username=f"buyer{n}") for n in range(count)]
    User.objects.bulk_create(rows, batch_size=500)
    found = User.objects.filter(email__startswith="buyer").order_by("pk")
    return [_with_money(user.pk) for user in found]


def _with_money(user_id: int) -> str:
    # What clearing accounts hold is compared with the payments, and there is none for this.
    outside = ledger.house(ledger.Kind.LOSSES, "USD")
    books.transfer_post(
        reference=f"benchmark:{user_id}",
        kind="deposit",
        entries=ledger.move(MONEY, debit=outside, credit=ledger.customer(user_id, "USD")),
    )
    family = uuid4()
    pair, jti = tokens.issue(family)
    RefreshFamily.objects.create(
        uid=family, user_id=user_id, current_jti=jti_hash(jti), expires_at=clock.now() + 24 * HOUR
    )
    return pair.access


@transactional
def sale(units: int) -> FlashSale:
    """A sale of a product with that many units; its first run is the next to be opened."""
    product = Product.objects.order_by("pk").first()
    inventory.stock_adjust(product_id=product.pk, delta=units, reason="benchmark", actor_id=None)
    run = services.sale_create(
        slug="rush",
        product=product.slug,
        offer=Offer(PRICE, per_order_limit=5, per_user_limit=50),
        plan=Plan(1, clock.now() + HOUR),
        actor_id=None,
    )
    return run.sale


def hold_run(sale_id: int, units: int) -> FlashRun:
    """End the last run and hold another one, open now."""
    for run in FlashRun.objects.filter(sale_id=sale_id, ended_at=None):
        services.run_end(run_id=run.pk, reason=FlashRun.End.STAFF)
    plan = Plan(units, clock.now() + HOUR)
    run = services.run_schedule(sale_id=sale_id, plan=plan, actor_id=None)
    FlashRun.objects.filter(pk=run.pk).update(starts_at=clock.now() - timedelta(seconds=1))
    return run


def sold(run: FlashRun) -> tuple[int, int]:
    """Units and purchases of a run that are somebody's."""
    units = FlashUnit.objects.filter(run=run, user_id__isnull=False).count()
    return units, FlashPurchase.objects.filter(run=run).count()
