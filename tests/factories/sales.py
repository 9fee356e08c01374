"""Order lines of any day, and a clock that stands where a test wants it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.db.models import F, QuerySet

from common import clock
from shop.models import Order, OrderEvent, OrderLine, Product
from shop.orders.rules import Status
from tests.factories.users import UserFactory

_numbers = count(1)


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """What counts believes that it is this moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: moment)
        yield


def sold(product: Product, moment: datetime, units: int = 1, price: int = 1000) -> OrderLine:
    """A line that was bought at that moment, without payment or stock."""
    order = Order.objects.create(
        number=f"S{next(_numbers):012}",
        user=UserFactory(),
        status=Status.PAID,
        total=units * price,
        placed_at=moment,
        paid_at=moment,
        expires_at=moment + timedelta(minutes=15),
    )
    _event(order, moment)
    return OrderLine.objects.create(
        order=order,
        product=product,
        user=order.user,
        sku=product.sku,
        name=product.name,
        unit_price=price,
        quantity=units,
        total=units * price,
        purchased_at=moment,
    )


def given_back(line: OrderLine, moment: datetime, units: int = 1) -> None:
    """That many units of it come back then."""
    back = {"refunded": F("refunded") + units * line.unit_price}
    Order.objects.filter(pk=line.order_id).update(**back)
    back |= {"refunded_quantity": F("refunded_quantity") + units}
    OrderLine.objects.filter(pk=line.pk).update(**back)
    _event(line.order, moment)


def _event(order: Order, moment: datetime) -> Any:
    event = OrderEvent.objects.create(order=order, field="status", new=Status.PAID)
    # Django's own queryset: the table's own has no update.
    return QuerySet(OrderEvent).filter(pk=event.pk).update(created_at=moment)
