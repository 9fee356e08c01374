"""Buying by SELECT … FOR UPDATE: the hot row is locked, then the ORM writes everything.

It writes the rows that the shop's own purchase leaves behind, each in its final state and none
twice: the shortest such code, not the slowest.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts.ledger.models import Account, Posting, Transfer
from common import clock, context, ids
from common.audit.models import AuditEntry
from common.outbox.models import OutboxMessage
from payments.intake.models import Payment, PaymentEvent
from shop.catalogue.models import Product
from shop.flash_sales.errors import SaleEnded, SoldOut, UserLimitReached
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashTally, FlashUnit
from shop.inventory.models import Stock, StockMovement
from shop.orders.models import Order, OrderEvent, OrderLine


@transaction.atomic
def purchase(user_id: int, slug: str, quantity: int) -> dict[str, Any]:
    runs = FlashRun.objects.select_for_update(of=("self",)).select_related("sale__product")
    run = runs.filter(sale__slug=slug, ended_at=None, starts_at__lte=Now()).first()
    if run is None or run.window.is_over(now := clock.now()):
        raise SaleEnded
    slots = _slots(run, user_id, quantity)
    free = FlashUnit.objects.filter(run=run, state="free").order_by("number")
    units = list(free[:quantity])
    if len(units) < quantity:
        raise SoldOut(wanted=quantity, left=len(units))
    order = _order(run.sale.product, user_id, quantity, run.price, now, run)
    bought = FlashPurchase.objects.create(
        run=run, order=order, user_id=user_id, quantity=quantity, state="paid", paid_at=now
    )
    for unit, slot in zip(units, slots, strict=True):
        unit.state, unit.purchase, unit.user_id, unit.slot = "sold", bought, user_id, slot
        unit.save()
    FlashTally.objects.create(run=run, sold=quantity)
    payment = _pay(order, user_id)
    return {
        "order": {"number": order.number, "status": order.status, "total": order.total},
        "payment": {"id": str(payment.uid), "status": payment.status},
        "run": run.number,
        "units": [unit.number for unit in units],
    }


def _slots(run: FlashRun, user_id: int, quantity: int) -> list[int]:
    limit = run.per_user_limit or 0
    used = set(FlashUnit.objects.filter(run=run, user_id=user_id).values_list("slot", flat=True))
    left = [slot for slot in range(1, limit + 1) if slot not in used]
    if len(left) < quantity:
        raise UserLimitReached(limit=limit, left=len(left))
    return left[:quantity]


@transaction.atomic
def order(user_id: int, slug: str) -> dict[str, Any]:
    """One unit of a product, out of its stock."""
    stocks = Stock.objects.select_for_update(of=("self",)).select_related("product")
    stock = stocks.get(product__slug=slug)
    if stock.available < 1:
        raise SoldOut(wanted=1, left=0)
    stock.on_hand -= 1
    stock.save()
    product = stock.product
    made = _order(product, user_id, 1, product.list_price, clock.now())
    line = made.lines.get()
    StockMovement.objects.create(stock=stock, kind="sold", delta=-1, order_line=line)
    payment = _pay(made, user_id)
    return {"number": made.number, "total": made.total, "payment": str(payment.uid)}


def _order(
    product: Product, user_id: int, quantity: int, price: int, now: Any, run: FlashRun | None = None
) -> Order:
    order = Order.objects.create(
        number=ids.order_number(),
        user_id=user_id,
        run=run,
        status="paid",
        total=price * quantity,
        placed_at=now,
        paid_at=now,
        expires_at=now + timedelta(minutes=5),
    )
    OrderLine.objects.create(
        order=order,
        product=product,
        user_id=user_id,
        sku=product.sku,
        name=product.name,
        unit_price=price,
        quantity=quantity,
        total=order.total,
        purchased_at=now,
    )
    OrderEvent.objects.create(order=order, field="status", new="pending_payment")
    OrderEvent.objects.create(order=order, field="status", old="pending_payment", new="paid")
    return order


def _pay(order: Order, user_id: int) -> Payment:
    payment = Payment.objects.create(
        order=order,
        user_id=user_id,
        method="wallet",
        status="succeeded",
        currency=order.currency,
        amount=order.total,
        captured=order.total,
        expires_at=order.expires_at,
    )
    shared = {"payment": payment, "currency": order.currency}
    once = f"capture:wallet:{payment.uid}"
    PaymentEvent.objects.create(kind="opened", amount=order.total, **shared)
    PaymentEvent.objects.create(kind="captured", amount=order.total, once=once, **shared)
    event = PaymentEvent.objects.create(kind="succeeded", data={"from": "awaiting"}, **shared)
    AuditEntry.objects.create(
        action="payment.capture",
        target=f"payment:{payment.uid}",
        data={"amount": order.total, "currency": order.currency, "reference": str(payment.uid)},
        request_id=context.request_id.get(),
    )
    _post(order, user_id, once)
    OutboxMessage.objects.create(
        task="payments.notices.send",
        payload={"event_id": event.pk},
        request_id=context.request_id.get(),
    )
    return payment


def _post(order: Order, user_id: int, reference: str) -> None:
    wallet = Account.objects.get(key=f"customer:{user_id}:USD")
    enough = Account.objects.filter(pk=wallet.pk, available__gte=order.total)
    if not enough.update(available=F("available") - order.total):
        raise SoldOut(wanted=0, left=0)
    wallet.refresh_from_db(fields=["available"])
    sales, _ = Account.objects.get_or_create(
        key="house:sales:USD", defaults={"kind": "sales", "currency": "USD"}
    )
    transfer = Transfer.objects.create(
        reference=reference, kind="sale", about=f"order {order.number}"
    )
    moved = {"transfer": transfer, "currency": "USD", "amount": order.total}
    Posting.objects.create(account=wallet, side="debit", balance=wallet.available, **moved)
    Posting.objects.create(account=sales, side="credit", **moved)
