"""Reconciliation against Stripe's stand-in over HTTP: no event arrives and no task tells of it."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from payments.intake.models import Payment
from payments.stripe import gateway
from payments.stripe.models import StripeIntent, WebhookEvent
from tests.factories.orders import (
    own_rollbacks,
    settled,
)
from tests.factories.reconcile import (
    MENDED,
    Clock,
    Shop,
    given_up,
    paid,
    refund_returned,
    rows,
    run,
    sandbox,
    shop,
    state,
    stripe_clock,
)
from tests.factories.wallet import balance
from tests.sizes import PROVE

__all__ = ["own_rollbacks", "sandbox", "settled", "shop", "stripe_clock"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "sandbox")]
mended = pytest.mark.parametrize("happens", MENDED, ids=lambda each: each.__name__)
# What these show is the run's, whatever it mends.
some = pytest.mark.parametrize(
    "happens", MENDED if PROVE else list(MENDED)[::4], ids=lambda each: each.__name__
)


@pytest.mark.usefixtures("settled")
class TestMended:
    @mended
    def test_what_stripe_knows_and_we_missed_is_mended_once(self, shop: Shop, happens: Any) -> None:
        happens(shop)
        before, after = MENDED[happens]
        assert state() == before
        code, lines = run()
        assert (code, [line.split()[0] for line in lines]) == (0, ["mended"])
        assert state() == after
        assert not WebhookEvent.objects.exists()
        mended = rows()
        assert run() == (0, [])
        assert rows() == mended
        shop.drain(later=True)
        assert run() == (0, [])

    @some
    def test_a_dry_run_says_it_and_changes_nothing(self, shop: Shop, happens: Any) -> None:
        happens(shop)
        before = rows()
        code, (line,) = run("--dry-run")
        assert (code, line.startswith("would mend")) == (0, True)
        assert rows() == before

    @some
    def test_control_without_the_mending_it_is_left(
        self, shop: Shop, happens: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        happens(shop)
        monkeypatch.setattr("payments.stripe.services.reconcile._mend", lambda *_: None)
        before = rows()
        code, lines = run()
        assert (code, [line.split()[0] for line in lines]) == (1, ["left"])
        assert rows() == before


@pytest.mark.usefixtures("settled")
class TestAfterwards:
    def test_an_intent_nobody_wants_is_cancelled_at_stripe(self, shop: Shop) -> None:
        given_up(shop)
        run()
        intent = StripeIntent.objects.get().intent_id
        assert gateway.retrieve_intent(intent).status == "canceled"

    def test_a_refund_that_came_back_is_in_the_wallet(self, shop: Shop) -> None:
        refund_returned(shop)
        assert balance(shop.api) == ("0.00", "0.00")
        run()
        assert balance(shop.api) == ("10.00", "0.00")

    def test_a_refund_of_an_older_payment_is_found(self, shop: Shop, stripe_clock: Clock) -> None:
        stripe_clock.days = 30
        shop.bought()
        stripe_clock.days = 0
        intent = StripeIntent.objects.get().intent_id
        gateway.client().v1.refunds.create({"payment_intent": intent, "amount": 400})
        code, (line,) = run("--days", "1")
        assert (code, line.split()[0]) == (0, "mended")
        assert Payment.objects.get().refunded == 400

    def test_a_payment_before_the_window_is_not_looked_at(
        self, shop: Shop, stripe_clock: Clock
    ) -> None:
        stripe_clock.days = 30
        paid(shop)
        assert run("--days", "29") == (0, [])
        assert run("--since", "2020-01-01")[1][0].startswith("mended")

    def test_what_agrees_is_not_mentioned_and_the_sums_are_told(
        self, shop: Shop, capsys: Any
    ) -> None:
        shop.bought()
        shop.placed()
        out = StringIO()
        call_command("reconcile", stdout=out)
        (summary,) = out.getvalue().splitlines()
        assert summary.startswith("2 payments since")
        assert summary.endswith("0 mended, 0 left; Stripe 10.00 USD, clearing 10.00 USD")
