"""Which mails about payments have gone, to look at."""

from django.contrib import admin

from common.admin.base import ReadOnlyAdmin
from common.admin.display import link
from payments.notices.models import Notice


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "about", "state", "shown_payment", "claimed_until", "ended_at")
    list_filter = ("state", "ended_at")
    list_select_related = ("event__payment",)
    search_fields = ("=event__payment__uid", "event__payment__order__number")
    ordering = ("-pk",)
    fields = ("about", "state", "shown_payment", "claimed_until", "ended_at")

    @admin.display(description="event")
    def about(self, notice: Notice) -> str:
        return notice.event.kind

    @admin.display(description="payment")
    def shown_payment(self, notice: Notice) -> str:
        return link(notice.event.payment)
