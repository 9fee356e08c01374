"""What the page asks for: a file, and then whether to go on."""

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from common.admin.forms import ServiceForm
from common.errors import SoukError
from shop.imports import selectors, services
from shop.imports.rules import MAX_BYTES
from shop.imports.serializers import sheet_of


class FileForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        allow_empty_file=True,
        max_length=200,
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv", "aria-describedby": "columns"}),
    )

    def clean_file(self) -> Any:
        upload = self.cleaned_data["file"]
        if upload.size > MAX_BYTES:
            raise forms.ValidationError(_("The file is larger than 20 MB."), "too_large")
        return upload

    def tried(self, actor_id: int) -> Any:
        """The import as it would be. Raises ImportRefused."""
        upload = self.cleaned_data["file"]
        return imported(services.File(upload.name, upload.read()), actor_id, dry_run=True)


class CarryOutForm(ServiceForm):
    """A trial, for good: its row says whether somebody has carried it out; the key is its own."""

    name = "import"
    label = "Import"

    def __init__(self, data: Any = None, *, row: Any) -> None:
        super().__init__(data, row=row)
        self.initial["once"] = row.uid.hex
        self.errors_by_row: list[dict[str, Any]] = []

    def clean_once(self) -> str:
        # Whatever a page has sent: stock that was received is added one time.
        uid: UUID = self.row.uid
        return uid.hex

    def run(self, actor_id: int) -> str:
        name, content = selectors.content_of(self.row.uid)
        file = services.File(name, content, trial=self.row.uid)
        self.row = imported(file, actor_id, dry_run=False)
        count = self.row.created + self.row.changed
        words = ngettext("%(count)s product is written.", "%(count)s products are written.", count)
        return words % {"count": count}

    def refuse(self, refused: SoukError) -> None:
        self.errors_by_row = refused.errors
        self.add_error(None, refused.detail)


def imported(file: services.File, actor_id: int, *, dry_run: bool) -> Any:
    return services.products_import(
        sheet=sheet_of(file.content, most=settings.PRODUCT_IMPORT_MAX_ROWS),
        file=file,
        dry_run=dry_run,
        actor_id=actor_id,
        keep=True,
    )
