"""Products from a CSV file in the admin: sent, tried out and looked at, then carried out."""

from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from common.admin.once import carry_out
from common.admin.pages import rendered, staff_page
from shop.imports import selectors
from shop.imports.errors import ImportRefused
from shop.imports.forms import CarryOutForm, FileForm
from shop.imports.serializers import COLUMNS

# All that a row can do.
RIGHTS: Final = ("shop.add_product", "shop.change_product", "shop.change_stock")
SHOWN: Final = 20


@staff_page(*RIGHTS)
def imports(request: HttpRequest) -> HttpResponse:
    sent = request.method == "POST"
    form = FileForm(request.POST, request.FILES) if sent else FileForm()
    if sent and form.is_valid():
        try:
            return redirect("import", uid=form.tried(request.user.pk or 0).uid)
        except ImportRefused as refused:
            return _asked(request, form, refused.errors, refused.extra["total"])
    return _asked(request, form)


def _asked(request: HttpRequest, form: FileForm, wrong: Any = (), total: int = 0) -> HttpResponse:
    return rendered(
        request,
        "shop/imports.html",
        title=_("Import products"),
        form=form,
        columns=COLUMNS,
        wrong=wrong,
        total=total,
        past=selectors.newest(SHOWN),
    )


@staff_page(*RIGHTS)
def one_import(request: HttpRequest, uid: UUID) -> HttpResponse:
    row = selectors.import_by_uid(uid)
    form = CarryOutForm(request.POST or None, row=row)
    if request.method == "POST" and row.dry_run and form.is_valid() and carry_out(request, form):
        return redirect("import", uid=form.row.uid)
    if form.is_bound:  # a refusal may be that somebody else has just carried it out
        row = selectors.import_by_uid(uid)
    return rendered(
        request,
        "shop/import.html",
        title=_("Import of %(name)s") % {"name": row.name},
        row=row,
        form=form,
        shown=len(row.report),
        can_run=selectors.may_run(row),
        wrong=form.errors_by_row,
        total=len(form.errors_by_row),
    )
