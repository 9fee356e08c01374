"""The staff dashboard as JSON."""

from rest_framework.request import Request
from rest_framework.response import Response

from common.api.docs import operation
from common.api.permissions import IsStaff
from common.api.views import ApiView
from dashboards.staff import selectors
from dashboards.staff.errors import OutOfRange, PeriodReversed, PeriodTooLong, TooManySteps
from dashboards.staff.serializers import PeriodQuery, StaffDashboardOut


class Dashboard(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "The shop in figures",
        description="What `/admin/dashboard/` shows. Sums come from statistics that are counted "
        "every 20 seconds and kept for ten; days are those of UTC, both ends included.",
        operation_id="admin_dashboard",
        answers={200: StaffDashboardOut},
        refusals=(OutOfRange, PeriodReversed, PeriodTooLong, TooManySteps),
        parameters=(PeriodQuery,),
        tags=["staff: figures"],
    )
    def get(self, request: Request) -> Response:
        query = self.query(request, PeriodQuery)
        period = selectors.period(query.get("from"), query.get("to"), query.get("granularity"))
        return Response(StaffDashboardOut(selectors.dashboard(period)).data)
