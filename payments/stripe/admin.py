"""Stripe's side in the admin: intents to find a payment by, and webhook events."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from common.admin.base import ReadOnlyAdmin
from common.admin.display import link, pretty
from common.admin.forms import ServiceForm
from payments.stripe import services
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


class ReplayForm(ServiceForm):
    name = "replay"
    label = "Process again"

    def facts(self) -> list[tuple[str, Any]]:
        return [("State", self.row.state), ("Attempts", self.row.attempts)]

    def outcome(self) -> list[str]:
        return ["Stripe is asked again about what this event names; nothing counts twice."]

    def run(self, actor_id: int) -> str:
        services.webhook_replay(event_id=self.row.event_id, actor_id=actor_id)
        return "It will be processed within seconds."


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    forms = (ReplayForm,)
    list_display = (
        "event_id",
        "kind",
        "state",
        "attempts",
        "error",
        "received_at",
        "processed_at",
    )
    list_filter = ("state", "provider", "kind", "received_at")
    date_hierarchy = "received_at"
    search_fields = ("=event_id", "kind")
    ordering = ("-pk",)
    fields = (
        "event_id",
        "provider",
        "kind",
        "state",
        "error",
        "attempts",
        "received_at",
        "processed_at",
        "body",
    )
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
        actor_id = request.user.pk or 0

        def replay(event: WebhookEvent) -> None:
            services.webhook_replay(event_id=event.event_id, actor_id=actor_id)

        self.each(request, queryset.order_by("pk"), replay, "will be processed within seconds")
