"""What is known of Stripe's side: customers, intents, confirm attempts, refunds, and events."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class StripeCustomer(models.Model):
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, primary_key=True, related_name="+"
    )
    customer_id = models.CharField(max_length=64, unique=True)

    def __str__(self) -> str:
        return self.customer_id


class StripeIntent(models.Model):
    """The PaymentIntent of one payment, and when to ask Stripe about it next."""

    payment = models.OneToOneField(
        "payments.Payment", models.PROTECT, primary_key=True, related_name="stripe_intent"
    )
    intent_id = models.CharField(max_length=64, unique=True)
    client_secret = models.CharField(max_length=200)
    status = models.CharField(max_length=32)
    created_at = models.DateTimeField(db_default=Now())
    next_poll_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["next_poll_at"], name="stripe_intent_poll")]

    def __str__(self) -> str:
        return self.intent_id


class StripeAttempt(models.Model):
    """One confirm call, written before Stripe is asked: its number is in the idempotency key.

    The payment's id alone would make a second card replay the first one's decline.
    """

    class State(models.TextChoices):
        ASKED = "asked"
        ACCEPTED = "accepted"
        DECLINED = "declined"
        REFUSED = "refused"

    payment = models.ForeignKey("payments.Payment", models.PROTECT, related_name="stripe_attempts")
    number = models.PositiveIntegerField()
    payment_method = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    # The payment's key while the outcome is unknown: one question at a time.
    open_for = models.BigIntegerField(null=True, unique=True, editable=False)
    error = models.JSONField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["payment", "number"], name="attempt_number_once"),
            models.CheckConstraint(
                condition=Q(state="asked", open_for__isnull=False)
                | (~Q(state="asked") & Q(open_for=None)),
                name="attempt_open_while_asked",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id}/{self.number}"


class StripeRefund(models.Model):
    """What Stripe calls a refund, and when to ask about it next; never again once it is decided."""

    refund = models.OneToOneField(
        "payments.Refund", models.PROTECT, primary_key=True, related_name="stripe_refund"
    )
    stripe_id = models.CharField(max_length=64, unique=True)
    next_poll_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["next_poll_at"], name="stripe_refund_poll")]

    def __str__(self) -> str:
        return self.stripe_id


class StripeSending(models.Model):
    """A refund on its way to Stripe: who sends it has it until `leased_until`.

    `key_number` goes on where Stripe keeps something else under the key before. Were there two at
    once, each with a next key, or from the first one anew, both could be answered with a refund.
    """

    refund = models.OneToOneField(
        "payments.Refund", models.PROTECT, primary_key=True, related_name="+"
    )
    key_number = models.PositiveIntegerField(default=1)
    leased_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.refund_id}: key {self.key_number}"


class WebhookEvent(models.Model):
    """A verified event, stored before it is understood; Stripe sends some twice."""

    class State(models.TextChoices):
        RECEIVED = "received"
        PROCESSED = "processed"
        IGNORED = "ignored"

    provider = models.CharField(max_length=16, default="stripe")
    event_id = models.CharField(max_length=128)
    kind = models.CharField(max_length=64)
    payload = models.JSONField()
    state = models.CharField(max_length=10, choices=State, default=State.RECEIVED)
    # Why the last attempt failed, or why the event was ignored.
    error = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    received_at = models.DateTimeField(db_default=Now())
    processed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "event_id"], name="webhook_event_once"),
        ]
        indexes = [models.Index(fields=["state", "id"], name="webhook_by_state")]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"
