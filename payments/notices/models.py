"""Which mails have gone."""

from django.db import models
from django.db.models.functions import Now


class Notice(models.Model):
    """The one mail about one payment event: the primary key keeps a second from being sent."""

    class State(models.TextChoices):
        SENDING = "sending"
        SENT = "sent"
        REFUSED = "refused"
        GIVEN_UP = "given_up"
        SKIPPED = "skipped"

    event = models.OneToOneField(
        "payments.PaymentEvent", models.PROTECT, primary_key=True, related_name="notice"
    )
    state = models.CharField(max_length=8, choices=State, default=State.SENDING)
    # Until then one worker sends it; past it, that worker is dead and another one may.
    claimed_until = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.state} #{self.pk}"
