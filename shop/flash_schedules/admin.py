"""Schedules in the admin, and the moments for which no run could be planned."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from common.admin.base import Newest, PartInline, ReadOnlyAdmin
from common.admin.display import link, pretty
from shop.flash_schedules.forms import CreateForm, StartForm, StopForm
from shop.flash_schedules.models import FlashOccurrence, FlashSchedule


class OccurrenceInline(PartInline):
    model = FlashOccurrence
    fields = ("scheduled_for", "state", "shown_run", "problem", "detail", "tries")
    ordering = ("-scheduled_for",)
    formset = Newest

    def get_queryset(self, request: HttpRequest) -> QuerySet[FlashOccurrence]:
        return super().get_queryset(request).select_related("run")

    @admin.display(description="run")
    def shown_run(self, found: FlashOccurrence) -> str:
        return link(found.run)


@admin.register(FlashSchedule)
class FlashScheduleAdmin(ReadOnlyAdmin):
    forms = (StopForm, StartForm)
    add_form = CreateForm
    inlines = (OccurrenceInline,)
    list_display = ("shown_sale", "__str__", "active", "allocation", "run_minutes", "created_at")
    list_filter: ClassVar[Any] = ("active",)
    list_select_related = ("sale",)
    search_fields = ("sale__slug",)
    ordering = ("-pk",)
    fields = ("uid", "shown_sale", "shown_rule", "allocation", "run_minutes", "active", "since")

    @admin.display(description="sale")
    def shown_sale(self, schedule: FlashSchedule) -> str:
        return link(schedule.sale)

    @admin.display(description="rule")
    def shown_rule(self, schedule: FlashSchedule) -> str:
        return pretty(schedule.rule)


@admin.register(FlashOccurrence)
class FlashOccurrenceAdmin(ReadOnlyAdmin):
    list_display = ("scheduled_for", "shown_sale", "state", "problem", "detail", "tries")
    list_filter: ClassVar[Any] = ("state", "problem")
    list_select_related = ("sale",)
    search_fields = ("sale__slug",)
    ordering = ("-scheduled_for",)
    fields = (
        "scheduled_for",
        "shown_sale",
        "shown_schedule",
        "state",
        "shown_run",
        "problem",
        "detail",
        "tries",
    )

    @admin.display(description="sale")
    def shown_sale(self, found: FlashOccurrence) -> str:
        return link(found.sale)

    @admin.display(description="schedule")
    def shown_schedule(self, found: FlashOccurrence) -> str:
        return link(found.schedule)

    @admin.display(description="run")
    def shown_run(self, found: FlashOccurrence) -> str:
        return link(found.run)
