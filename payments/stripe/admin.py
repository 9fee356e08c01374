"""Stripe's side in the admin: intents to find a payment by, and webhook events."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from common.admin.base import ReadOnlyAdmin
from common.admin.display import link, pretty
from common.db import transactional
from common.outbox.services import enqueue
from payments.stripe.models import StripeIntent, WebhookEvent


@admin.register(StripeIntent)
class StripeIntentAdmin(ReadOnlyAdmin):
    """Without the client secret."""

    list_display = ("intent_id", "status", "shown_payment", "created_at", "next_poll_at")
    list_filter = ("status",)
    list_select_related = ("payment",)
    date_hierarchy = "created_at"
    search_fields = ("=intent_id", "=payment__uid")
    ordering = ("-pk",)
    fields = ("intent_id", "status", "shown_payment", "created_at", "next_poll_at")

    @admin.display(description="payment")
    def shown_payment(self, intent: StripeIntent) -> str:
        return link(intent.payment)


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    list_display = ("event_id", "provider", "kind", "state", "received_at", "processed_at")
    list_filter = ("state", "provider", "kind", "received_at")
    date_hierarchy = "received_at"
    search_fields = ("=event_id", "kind")
    ordering = ("-pk",)
    fields = ("event_id", "provider", "kind", "state", "received_at", "processed_at", "body")
    actions = ("process_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEvent]:
        events = super().get_queryset(request)
        # Payloads are large; a list shows none of them.
        match = request.resolver_match
        is_list = match is not None and match.url_name == "payments_webhookevent_changelist"
        return events.defer("payload") if is_list else events

    @admin.display(description="payload")
    def body(self, event: WebhookEvent) -> str:
        return pretty(event.payload)

    @admin.action(description="Process the chosen events again", permissions=["act"])
    def process_again(self, request: HttpRequest, queryset: QuerySet[WebhookEvent]) -> None:
        keys = list(queryset.order_by("pk").values_list("pk", flat=True))
        for key in keys:
            _process_again(key)
        messages.success(request, f"{len(keys)} will be processed within seconds.")


@transactional
def _process_again(event_pk: int) -> None:
    """Harmless for one that was processed: only Stripe's answer counts, and it counts once."""
    WebhookEvent.objects.filter(pk=event_pk).update(
        state=WebhookEvent.State.RECEIVED, processed_at=None
    )
    enqueue("payments.stripe.process_event", event_pk=event_pk)
