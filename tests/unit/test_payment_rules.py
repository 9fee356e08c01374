"""The payment machine's table, and what Stripe's words mean."""

from datetime import UTC, datetime, timedelta

import pytest

from payments.intake import rules
from payments.intake.rules import Status
from payments.stripe import rules as stripe

CONTRACT = {
    "awaiting": {
        "processing", "succeeded", "failed", "expired", "replaced", "review",
    },
    "processing": {"succeeded", "failed", "review"},
    "succeeded": {"refunded", "review"},
    "failed": {"review"},
    "expired": {"review"},
    "replaced": {"review"},
    "review": {"succeeded", "refunded", "reversed"},
    "refunded": set(),
    "reversed": set(),
}  # fmt: skip
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("old", list(Status))
@pytest.mark.parametrize("new", list(Status))
def test_a_payment_moves_only_as_the_contract_says(old: Status, new: Status) -> None:
    assert rules.may_become(old, new) == (new.value in CONTRACT[old.value])


@pytest.mark.parametrize(
    ("received", "reason"), [(100, None), (99, "underpaid"), (101, "overpaid"), (0, "underpaid")]
)
def test_another_amount_than_was_asked_for_has_a_reason(received: int, reason: str | None) -> None:
    assert rules.misfit(100, received) == reason


@pytest.mark.parametrize(
    ("away", "near"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)]
)
def test_a_signature_is_near_within_300_seconds_on_either_side(away: int, near: bool) -> None:
    assert stripe.timestamp_is_near(1000 + away, 1000.0) is near


def test_polls_grow_rarer_between_their_bounds() -> None:
    pauses = [stripe.poll_pause(timedelta(seconds=s)) for s in (0, 60, 400, 10**6)]
    assert pauses == [timedelta(seconds=s) for s in (15, 15, 100, 600)]


@pytest.mark.parametrize(
    ("status", "late", "abandoned"),
    [
        ("requires_action", 15, True),
        ("requires_action", 14, False),
        ("processing", 60, False),
        ("requires_payment_method", 60, False),
    ],
)
def test_only_3d_secure_past_its_grace_is_abandoned(
    status: str, late: int, abandoned: bool
) -> None:
    assert stripe.is_abandoned(status, NOW, NOW + timedelta(minutes=late)) is abandoned


def test_a_status_that_stripe_has_not_named_is_an_error() -> None:
    with pytest.raises(KeyError):
        stripe.outcome("new_status")
