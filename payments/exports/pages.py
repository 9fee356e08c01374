"""Exports in the admin: asked for, watched, fetched."""

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from common.admin.once import carry_out
from common.admin.pages import rendered, staff_page
from common.errors import SoukError
from payments.exports import selectors
from payments.exports.download import sent
from payments.exports.forms import ExportForm
from payments.exports.rules import OPEN, Status, percent
from payments.exports.words import KINDS, STATUSES

RIGHT = "payments.add_export"
SHOWN = 30


def _kinds(request: HttpRequest) -> list[str]:
    """Those whose rows this person may see in the admin."""
    sources = selectors.SOURCES.items()
    return [kind for kind, source in sources if request.user.has_perm(source.right)]


@staff_page(RIGHT)
def exports(request: HttpRequest) -> HttpResponse:
    kinds = _kinds(request)
    form = ExportForm(request.POST or None, kinds=kinds)
    if request.method == "POST" and form.is_valid() and carry_out(request, form):
        return redirect("export", uid=form.row.uid) if form.row else redirect("exports")
    found = [_shown(one) for one in selectors.exports(kinds=kinds)[:SHOWN]]
    return rendered(
        request, "payments/exports/list.html", title=_("Exports"), form=form, found=found
    )


def _shown(export: Any) -> dict[str, Any]:
    return {
        "row": export,
        "kind": KINDS[export.kind],
        "status": STATUSES[export.status],
        "percent": percent(export.status, export.rows_done, export.rows_total),
        "open": export.status in OPEN,
        "ready": export.status == Status.DONE,
        "filters": {name: value[:16].replace("T", " ") for name, value in export.filters.items()},
    }


def _allowed(request: HttpRequest, uid: UUID) -> Any:
    export = selectors.export_by_uid(uid)
    if not request.user.has_perm(selectors.SOURCES[export.kind].right):
        raise PermissionDenied
    return export


@staff_page(RIGHT)
def export(request: HttpRequest, uid: UUID) -> HttpResponse:
    shown = _shown(_allowed(request, uid))
    title = shown["kind"]
    return rendered(request, "payments/exports/one.html", title=title, one=shown)


@staff_page(RIGHT)
def file(request: HttpRequest, uid: UUID) -> HttpResponseBase:
    found = _allowed(request, uid)
    try:
        return sent(found, request.user.pk or 0)
    except SoukError:
        # Not whole yet, or gone: the page says so.
        return redirect("export", uid=uid)
