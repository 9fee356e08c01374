"""A payment as its page shows it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from common import clock
from payments.checkout.paying import rules
from payments.checkout.paying.rules import Coins, Stage
from payments.intake import selectors as intake
from payments.intake.models import Payment
from payments.intake.rules import Method, Status


@dataclass(frozen=True, slots=True)
class PaymentNow:
    """A payment at the moment `at`; `details` are its gateway's, None while it has none."""

    payment: Payment
    details: dict[str, Any] | None
    at: datetime

    @property
    def coins(self) -> Coins | None:
        if self.payment.method != Method.CRYPTO or self.details is None:
            return None
        asked, received = (self.details[k] for k in ("amount_base_units", "received_base_units"))
        return Coins(int(asked), int(received))

    @property
    def stage(self) -> Stage:
        return rules.stage(
            self.payment.status,
            self.payment.reason,
            is_over=self.payment.expires_at <= self.at,
            coins=self.coins,
        )

    @property
    def seconds_left(self) -> int:
        return max(0, int((self.payment.expires_at - self.at).total_seconds()))

    @property
    def mark(self) -> str:
        """Another one means that the page looks different."""
        received = self.details.get("received_base_units", "") if self.details else ""
        shown = (self.stage, self.payment.reason, received, self.payment.refunded)
        return "-".join(map(str, (*shown, int(self.details is not None))))

    @property
    def left(self) -> dict[str, str] | None:
        """What is still to be sent: `{amount, received, payment_uri}` in the token's own unit."""
        coins, details = self.coins, self.details
        if coins is None or details is None:
            return None
        whole = {"asked": coins.asked, "amount": details["amount"]}
        return {
            "amount": rules.amount_of(coins.left, **whole),
            "received": rules.amount_of(coins.received, **whole),
            "payment_uri": rules.link_for(details["payment_uri"], coins.left),
        }

    @property
    def state(self) -> dict[str, Any]:
        """What changes while somebody looks, as JSON."""
        details = self.details if self.coins is not None else None
        return {
            "mark": self.mark,
            "status": self.payment.status,
            "stage": self.stage,
            "seconds_left": self.seconds_left,
            "confirmations": details and details["confirmations"],
            "confirmations_required": details and details["confirmations_required"],
        }


def payment_now(uid: str) -> PaymentNow:
    """Whoever knows the uid may look and pay. Raises Http404."""
    payment = intake.payment_by_uid(uid)
    return PaymentNow(payment, intake.describe([payment]).get(payment.pk), clock.now())


def takes_test_cards() -> bool:
    """Cards of Stripe's test mode, where no card can be typed in: the sandbox, or a test key."""
    test_key = settings.STRIPE_SECRET_KEY.startswith("sk_test_")
    return settings.STRIPE_SANDBOX or (test_key and not settings.STRIPE_PUBLISHABLE_KEY)


def cards_are_taken() -> bool:
    """Whether the page of a payment can take a card at all."""
    return bool(settings.STRIPE_PUBLISHABLE_KEY) or takes_test_cards()


def takes_cards(now: PaymentNow) -> bool:
    """A card can be typed in, by the script of Stripe's own."""
    payment = now.payment
    waits = payment.method == Method.STRIPE and payment.status == Status.AWAITING
    return waits and bool(settings.STRIPE_PUBLISHABLE_KEY) and not settings.STRIPE_SANDBOX


def sandbox_authentication(now: PaymentNow) -> str | None:
    """Where the sandbox plays the bank's part of 3-D Secure, for a payment that waits for it."""
    waits = now.payment.method == Method.STRIPE and now.payment.status == Status.PROCESSING
    if not (waits and settings.STRIPE_SANDBOX and now.details):
        return None
    secret = urlencode({"client_secret": now.details["client_secret"]})
    return f"{settings.STRIPE_API_BASE}/authenticate/{now.details['payment_intent']}?{secret}"
