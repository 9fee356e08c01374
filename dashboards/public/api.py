"""The public dashboard as JSON."""

from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from common.api.docs import operation
from common.api.views import ApiView
from dashboards.public import selectors
from dashboards.public.serializers import DashboardOut


class Dashboard(ApiView):
    permission_classes = [AllowAny]

    @operation(
        "The shop at a glance",
        description="What `/` shows: counts, top sellers, new and reduced products, flash sales "
        "and coin prices, a few seconds old.",
        operation_id="dashboard",
        answers={200: DashboardOut},
        tags=["catalogue"],
    )
    def get(self, request: Request) -> Response:
        found, _ = selectors.dashboard()
        return Response(DashboardOut(found).data)
