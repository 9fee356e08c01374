"""What the outbox owes and has done, and a way to hurry it."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from common.admin.base import ReadOnlyAdmin
from common.admin.display import pretty
from common.outbox.models import OutboxMessage
from common.outbox.selectors import OVERDUE_AFTER


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("overdue", "overdue"), ("failing", "failing"), ("open", "open"), ("done", "done")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        owed = queryset.filter(done_at=None)
        if self.value() == "overdue":
            return owed.filter(next_attempt_at__lt=Now() - OVERDUE_AFTER)
        if self.value() == "failing":
            return owed.exclude(last_error="")
        if self.value() == "open":
            return owed
        return queryset.filter(done_at__isnull=False) if self.value() == "done" else queryset


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "task",
        "next_attempt_at",
        "attempts",
        "last_error",
        "done_at",
    )
    list_filter = (StateFilter, "task")
    search_fields = ("=id", "task", "=request_id")
    ordering = ("-pk",)
    fields = (
        "task",
        "shown_payload",
        "created_at",
        "next_attempt_at",
        "sent_at",
        "attempts",
        "last_error",
        "done_at",
        "request_id",
    )
    actions = ("run_again",)

    @admin.display(description="payload")
    def shown_payload(self, message: OutboxMessage) -> str:
        return pretty(message.payload)

    @admin.action(description="Run the chosen messages again now", permissions=["act"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[OutboxMessage]) -> None:
        chosen = queryset.values_list("pk", flat=True)
        waiting = OutboxMessage.objects.filter(pk__in=list(chosen), done_at=None)
        # A message that was sent and is not due is leased: a worker has it right now.
        free = waiting.exclude(sent_at__isnull=False, next_attempt_at__gt=Now())
        count = free.update(next_attempt_at=Now(), sent_at=None)
        if count:
            messages.success(request, f"{count} will run within seconds.")
        if len(chosen) > count:
            messages.error(
                request, f"{len(chosen) - count} left alone: done, or with a worker right now."
            )
