"""Who was found to buy too often, and whom staff let through."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from common.admin.base import ReadOnlyAdmin
from common.admin.display import link
from payments.risk import services
from payments.risk.forms import AllowForm
from payments.risk.models import RiskAllowance, RiskHit


@admin.register(RiskHit)
class RiskHitAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "user", "rule", "action", "held_until")
    list_filter: ClassVar[Any] = ("rule", "action")
    list_select_related = ("user",)
    search_fields = ("user__email", "user__username")
    ordering = ("-pk",)
    fields = ("created_at", "shown_user", "rule", "action", "held_until")

    @admin.display(description="user")
    def shown_user(self, hit: RiskHit) -> str:
        return link(hit.user)


@admin.register(RiskAllowance)
class RiskAllowanceAdmin(ReadOnlyAdmin):
    add_form = AllowForm
    list_display = ("__str__", "reason", "created_at")
    list_select_related = ("user",)
    search_fields = ("user__email", "network", "reason")
    ordering = ("-pk",)
    fields = ("uid", "user", "network", "reason", "created_at")
    actions = ("remove",)

    @admin.action(description="Take off the allow-list", permissions=["act"])
    def remove(self, request: HttpRequest, queryset: QuerySet[RiskAllowance]) -> None:
        chosen = list(queryset)
        for allowance in chosen:
            services.allowance_delete(allowance_id=allowance.pk, actor_id=request.user.pk or 0)
        messages.success(request, f"{len(chosen)} taken off.")
