"""Whom the rules against fraud let through, for staff."""

from typing import Any, Final

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions.authentication import principal
from common.api.docs import cursor_of, operation
from common.api.idempotent import idempotent
from common.api.permissions import IsStaff
from common.api.serializers import CursorQuery
from common.api.views import ApiView
from payments.risk import selectors, services
from payments.risk.errors import NotANetwork, UnknownUser
from payments.risk.serializers import AllowanceIn, AllowanceOut

TAGS: Final = ["staff: flash sales"]


def _again(_: Request, ref: str) -> Any:
    found = selectors.allowances().get(pk=int(ref.removeprefix("risk_allowance:")))
    return AllowanceOut(found).data


class Allowances(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "Whom the rules against fraud let through, newest first",
        operation_id="admin_risk_allowances_list",
        answers={200: cursor_of(AllowanceOut)},
        parameters=(CursorQuery,),
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        self.query(request, CursorQuery)
        return self.cursor(selectors.allowances(), AllowanceOut)

    @operation(
        "Let a user or a network through",
        operation_id="admin_risk_allowances_create",
        request=AllowanceIn,
        answers={201: AllowanceOut},
        refusals=(UnknownUser, NotANetwork),
        keyed=True,
        tags=TAGS,
    )
    @idempotent(_again)
    def post(self, request: Request) -> Response:
        body = self.body(request, AllowanceIn)
        user_id = selectors.user_id_of(body["user"]) if "user" in body else None
        made = services.allowance_create(
            user_id=user_id,
            network=body.get("network"),
            reason=body["reason"],
            actor_id=principal(request).pk,
        )
        return Response(_again(request, f"risk_allowance:{made.pk}"), status=201)


class Allowance(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "Take a user or a network off the allow-list",
        operation_id="admin_risk_allowances_delete",
        answers={204: None},
        tags=TAGS,
    )
    def delete(self, request: Request, uid: object) -> Response:
        found = selectors.allowance_get(uid)
        services.allowance_delete(allowance_id=found.pk, actor_id=principal(request).pk)
        return Response(status=204)
