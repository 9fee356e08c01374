"""Customers with money and tokens, and a sale that is held again for every round."""

from datetime import datetime, timedelta
from uuid import uuid4

from accounts.ledger import rules as ledger
from accounts.ledger import services as books
from accounts.sessions import tokens
from accounts.sessions.models import RefreshFamily
from accounts.sessions.rules import jti_hash
from accounts.users.models import User
from common import clock, ids
from common.db import transactional
from payments.intake.models import Payment
from shop.catalogue.models import Product
from shop.flash_sales import services
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashSale, FlashUnit
from shop.flash_sales.services import Offer, Plan
from shop.inventory import services as inventory
from shop.inventory.models import Stock
from shop.orders.models import Order, OrderLine

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


def products(count: int) -> None:
    """That many products beside the samples, each with stock, by several statements in all."""
    numbers = range(count)
    rows = [
        Product(slug=f"thing-{n}", sku=f"THING-{n}", name=_name(n), list_price=1000 + n % 500)
        for n in numbers
    ]
    Product.objects.bulk_create(rows, batch_size=2_000)
    keys = Product.objects.filter(slug__startswith="thing-").values_list("pk", flat=True)
    Stock.objects.bulk_create([Stock(product_id=pk) for pk in keys], batch_size=5_000)


def _name(number: int) -> str:
    kinds, colours = ("Lamp", "Chair", "Shelf", "Table", "Clock"), ("red", "blue", "green", "grey")
    return f"{kinds[number % 5]} {colours[number % 4]} {number}"


def stocked(slugs: list[str], units: int) -> None:
    """Units enough for any rush."""
    for pk in Product.objects.filter(slug__in=slugs).order_by("pk").values_list("pk", flat=True):
        transactional(inventory.stock_adjust)(
            product_id=pk, delta=units, reason="benchmark", actor_id=None
        )


def history(customer: int, count: int) -> None:
    """That many paid orders of a line each for one of `customers`, a quarter of an hour apart.

    There is no money behind them: what is measured are reads.
    """
    user_id = User.objects.get(email=f"buyer{customer}@example.org").pk
    product, now = list(Product.objects.order_by("pk")[:20]), clock.now()
    times = [now - timedelta(minutes=15 * (count - n)) for n in range(count)]
    orders = Order.objects.bulk_create(
        [_paid_order(user_id, at, product[n % 20]) for n, at in enumerate(times)], batch_size=2_000
    )
    if not orders[0].pk:
        orders = list(Order.objects.filter(user_id=user_id).order_by("placed_at"))
    OrderLine.objects.bulk_create(
        [_line(order, product[n % 20]) for n, order in enumerate(orders)], batch_size=2_000
    )
    Payment.objects.bulk_create([_payment(order) for order in orders], batch_size=2_000)


def _paid_order(user_id: int, at: datetime, product: Product) -> Order:
    return Order(
        number=ids.order_number(),
        user_id=user_id,
        status="paid",
        total=product.list_price,
        placed_at=at,
        paid_at=at,
        expires_at=at + HOUR,
    )


def _line(order: Order, product: Product) -> OrderLine:
    return OrderLine(
        order=order,
        product=product,
        user_id=order.user_id,
        sku=product.sku,
        name=product.name,
        unit_price=product.list_price,
        quantity=1,
        total=product.list_price,
        purchased_at=order.paid_at,
    )


def _payment(order: Order) -> Payment:
    return Payment(
        order=order,
        user_id=order.user_id,
        method="wallet",
        status="succeeded",
        currency=order.currency,
        amount=order.total,
        captured=order.total,
        created_at=order.placed_at,
        expires_at=order.expires_at,
    )
