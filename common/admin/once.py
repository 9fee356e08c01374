"""Carry a form out once, however often it is sent."""

from django.contrib import messages
from django.http import HttpRequest

from common.admin.forms import ServiceForm
from common.errors import SoukError
from common.idempotency import services as idempotency
from common.idempotency.services import Claim, Replay


def carry_out(request: HttpRequest, form: ServiceForm) -> bool:
    """Run the form's service and say what happened; False where it refused."""
    try:
        begun = idempotency.begin(
            user_id=request.user.pk or 0,
            route=f"POST {request.path}"[:200],
            key=form.cleaned_data["once"],
            # The key alone counts: a form that went through is not sent again with other words.
            body="",
        )
        if isinstance(begun, Replay):
            messages.warning(request, "This form was carried out before; nothing was done again.")
            return True
        messages.success(request, _run(begun, form, request.user.pk or 0))
    except SoukError as refused:
        form.refuse(refused)
        return False
    return True


def _run(claim: Claim, form: ServiceForm, actor_id: int) -> str:
    try:
        words = form.run(actor_id)
    except Exception:
        # A refused form is corrected and sent again with the same key.
        idempotency.end_forgotten(claim)
        raise
    idempotency.end_done(claim)
    return words
