"""Money for a cancelled order meets the next buyer of its unit, with the control beside it."""

from collections import Counter
from typing import Any

import pytest

from config import invariants
from payments.checkout import services as checkout
from payments.checkout.services import Placed
from payments.intake import services as machine
from tests.races.parallel import (
    buyers,
    capture_of,
    in_parallel,
    order_of_one,
    post_order,
    read_before_the_write,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_stripe")]


def late_money_meets_next_buyer() -> tuple[Placed, list[Any]]:
    """Stripe's money, the cancellation, and the next buyer of the only unit, at once."""
    placed = order_of_one()
    slug = placed.order.lines.get().product.slug
    rival = buyers(1)[0]
    capture = capture_of(placed.payment)
    results = in_parallel(
        [
            lambda: machine.payment_settle(payment_id=placed.payment.pk, capture=capture),
            lambda: checkout.order_cancel(order_id=placed.order.pk, actor_id=placed.order.user_id),
            lambda: [post_order(rival, {slug: 1}).status_code for _ in range(4)],
        ]
    )
    return placed, results


@pytest.mark.proof(
    "Late money meets the next buyer",
    size="the only unit, 20 rounds",
    control="test_control_read_before_the_write_both_get_the_unit",
    runs=20,
)
def test_late_money_gets_the_unit_or_goes_back() -> None:
    ends: Counter[str] = Counter()
    for _ in range(20):
        placed, (settled, cancelled, rivals) = late_money_meets_next_buyer()
        assert settled is True
        assert not isinstance(cancelled, Exception) or cancelled.code == "invalid_transition"
        assert set(rivals) <= {201, 409}
        placed.order.refresh_from_db()
        placed.payment.refresh_from_db()
        got_it = placed.order.status == "paid"
        assert got_it == (201 not in rivals)
        assert placed.payment.refund_pending == (0 if got_it else placed.payment.captured)
        ends[placed.order.status] += 1
        assert invariants.breaches() == []


def test_control_read_before_the_write_both_get_the_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    read_before_the_write(monkeypatch)
    for _ in range(40):
        placed, (_, _, rivals) = late_money_meets_next_buyer()
        placed.order.refresh_from_db()
        if placed.order.status == "paid" and 201 in rivals:
            assert any("live holds" in line for line in invariants.breaches())
            return
    pytest.fail("late money and the next buyer never met")
