"""What the page asks for: which rows, and of which days."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from common.admin.forms import ServiceForm
from common.errors import SoukError
from payments.exports import selectors, services
from payments.exports.words import KINDS

# The day after the last one that there is has no date.
_LAST: Final = date.max - timedelta(days=1)


class ExportForm(ServiceForm):
    """Days are UTC, the last one included."""

    name = "export"
    label = _("Make the file")  # type: ignore[assignment]  # lazy, as it is shown

    kind = forms.ChoiceField(label=_("What"))
    since = forms.DateField(
        label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=_("To and with"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    status = forms.ChoiceField(
        label=_("Only with status"), required=False, widget=forms.Select(attrs={"translate": "no"})
    )

    # Where a refusal of the service is shown.
    about: ClassVar = {
        "filters.from": "since",
        "filters.to": "until",
        "filters.status": "status",
    }

    def __init__(self, data: Any = None, *, kinds: list[str]) -> None:
        super().__init__(data, row=None)
        chosen: Any = self.fields["kind"]
        chosen.choices = [(kind, KINDS[kind]) for kind in kinds]
        states: Any = self.fields["status"]
        states.choices = [("", _("any")), *_states(kinds)]

    def filters(self) -> dict[str, Any]:
        data = self.cleaned_data
        until = data["until"]
        found = {
            "from": _midnight(data["since"]),
            "to": _midnight(min(until, _LAST) + timedelta(days=1)) if until else None,
            "status": data["status"] or None,
        }
        return {name: value for name, value in found.items() if value is not None}

    def run(self, actor_id: int) -> str:
        self.row = services.export_start(
            kind=self.cleaned_data["kind"], filters=self.filters(), actor_id=actor_id
        )
        return str(_("The file is being made."))

    def refuse(self, refused: SoukError) -> None:
        fields = [item["field"] for item in refused.errors]
        self.add_error(self.about.get(fields[0]) if fields else None, refused.title)


def _states(kinds: list[str]) -> list[Any]:
    """Those of each kind, below its name; by the names that the API has for them."""
    found = ((kind, selectors.SOURCES[kind].statuses) for kind in kinds)
    return [(KINDS[kind], [(str(s), str(s)) for s in states]) for kind, states in found if states]


def _midnight(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), UTC) if day else None
