"""Schedules of flash sales over HTTP, for staff."""

from typing import Any, Final

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions.authentication import principal
from common.api.docs import cursor_of, operation
from common.api.idempotent import idempotent
from common.api.permissions import IsStaff
from common.api.serializers import CursorQuery
from common.api.views import ApiView
from shop.flash_sales.selectors import sale_get
from shop.flash_schedules import selectors, services
from shop.flash_schedules.errors import NeverHeld
from shop.flash_schedules.serializers import ScheduleIn, ScheduleOut, ScheduleSwitchIn

TAGS: Final = ["staff: flash sales"]


def _body(schedule: Any) -> Any:
    return ScheduleOut(schedule, context=selectors.next_moments([schedule])).data


def _again(_: Request, ref: str) -> Any:
    return _body(selectors.schedule_by_id(int(ref.removeprefix("flash_schedule:"))))


class Schedules(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "A sale's schedules, with the runs that they have planned or could not plan",
        operation_id="admin_flash_schedules_list",
        answers={200: cursor_of(ScheduleOut)},
        parameters=(CursorQuery,),
        tags=TAGS,
    )
    def get(self, request: Request, slug: str) -> Response:
        self.query(request, CursorQuery)
        found = selectors.schedules_of(slug)
        return self.cursor(found, ScheduleOut, with_page=selectors.next_moments)

    @operation(
        "Have a sale held again, on dates or by a repeating rule",
        operation_id="admin_flash_schedules_create",
        request=ScheduleIn,
        answers={201: ScheduleOut},
        refusals=(NeverHeld,),
        keyed=True,
        tags=TAGS,
    )
    @idempotent(_again)
    def post(self, request: Request, slug: str) -> Response:
        body, sale = self.body(request, ScheduleIn), sale_get(slug)
        made = services.schedule_create(sale_id=sale.pk, actor_id=principal(request).pk, **body)
        return Response(_body(selectors.schedule_by_id(made.pk)), status=201)


class Schedule(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "One schedule",
        operation_id="admin_flash_schedules_detail",
        answers={200: ScheduleOut},
        tags=TAGS,
    )
    def get(self, request: Request, slug: str, uid: object) -> Response:
        return Response(_body(selectors.schedule_get(slug, uid)))

    @operation(
        "Stop a schedule, or let it go on; runs that are planned stay",
        operation_id="admin_flash_schedules_switch",
        request=ScheduleSwitchIn,
        answers={200: ScheduleOut},
        tags=TAGS,
    )
    def patch(self, request: Request, slug: str, uid: object) -> Response:
        body, found = self.body(request, ScheduleSwitchIn), selectors.schedule_get(slug, uid)
        services.schedule_switch(
            schedule_id=found.pk, active=body["active"], actor_id=principal(request).pk
        )
        return Response(_body(selectors.schedule_by_id(found.pk)))
