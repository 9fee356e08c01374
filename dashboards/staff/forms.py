"""What staff type in on the dashboard: a period, and changes of one product."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.admin.forms import ServiceForm
from common.errors import FieldRefused, SoukError
from common.money import from_minor, to_minor
from dashboards.forms import Marked
from dashboards.staff import selectors, services
from dashboards.staff.rules import Granularity, Period
from shop.catalogue.errors import ProductChanged
from shop.inventory import services as inventory
from shop.inventory.serializers import MAX_UNITS

MOMENT: Final = "%Y-%m-%dT%H:%M"


def _day() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class PeriodForm(Marked):
    """`period` is set once it is valid."""

    to = forms.DateField(label=gettext_lazy("To"), required=False, widget=_day())
    granularity = forms.ChoiceField(
        label=gettext_lazy("By"),
        required=False,
        choices=[
            (Granularity.DAY.value, gettext_lazy("day")),
            (Granularity.WEEK.value, gettext_lazy("week")),
            (Granularity.MONTH.value, gettext_lazy("month")),
        ],
    )

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        first = forms.DateField(label=gettext_lazy("From"), required=False, widget=_day())
        # `from` is a word of Python's.
        self.fields = {"from": first, **self.fields}
        self.period: Period | None = None

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if not self.errors:
            try:
                self.period = selectors.period(data["from"], data["to"], data["granularity"])
            except FieldRefused as refused:
                self.add_error(refused.errors[0]["field"], refused.title)
        return data


class ProductForm(ServiceForm, Marked):
    """Price, discount and description of the product `row`, as they were when they were shown."""

    name = "price"

    seen = forms.CharField(widget=forms.HiddenInput, max_length=40)
    price = forms.DecimalField(
        label=gettext_lazy("List price (USD)"),
        min_value=Decimal("0.01"),
        max_digits=14,
        decimal_places=2,
    )
    discount_percent = forms.IntegerField(
        label=gettext_lazy("Discount (%)"), min_value=0, max_value=99
    )
    discount_starts_at = forms.DateTimeField(
        label=gettext_lazy("Discount from (UTC)"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MOMENT),
    )
    discount_ends_at = forms.DateTimeField(
        label=gettext_lazy("Discount until (UTC)"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MOMENT),
    )
    discount_members_only = forms.BooleanField(
        label=gettext_lazy("Discount for members only"), required=False
    )
    description = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    def __init__(self, data: Any = None, *, row: Any) -> None:
        super().__init__(data, row=row)
        self.initial = {
            **self.initial,
            "seen": row.updated_at.isoformat(),
            "price": from_minor(row.list_price, row.currency),
            "discount_percent": row.discount_percent,
            "discount_starts_at": row.discount_starts_at,
            "discount_ends_at": row.discount_ends_at,
            "discount_members_only": row.discount_members_only,
            "description": row.description,
        }

    def clean_seen(self) -> datetime:
        try:
            return datetime.fromisoformat(self.cleaned_data["seen"]).astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValidationError(_("Open this product again."), "seen") from None

    def run(self, actor_id: int) -> str:
        data = {**self.cleaned_data}
        seen, price = data.pop("seen"), data.pop("price")
        data.pop("once")
        changes: Any = {name: self._unrounded(name, value) for name, value in data.items()} | {
            "list_price": to_minor(price, self.row.currency)
        }
        services.terms_change(slug=self.row.slug, changes=changes, seen=seen, actor_id=actor_id)
        return _("%(name)s has its new terms.") % {"name": self.row.name}

    def _unrounded(self, name: str, value: Any) -> Any:
        """The field of a moment has minutes alone: one that was not touched keeps its seconds."""
        stored = self.initial.get(name)
        if isinstance(stored, datetime) and stored.replace(second=0, microsecond=0) == value:
            return stored
        return value

    def refuse(self, refused: SoukError) -> None:
        super().refuse(refused)
        if isinstance(refused, ProductChanged):
            # What is sent next goes by what is shown now, beside what was typed.
            self.data = {**self.data.dict(), "seen": self.initial["seen"]}  # type: ignore[attr-defined]
        self.mark()

    def changed_meanwhile(self) -> list[tuple[str, Any]]:
        """Label and stored value of each field that was typed otherwise."""
        shown = [field for field in self.visible_fields() if field.name in self.changed_data]
        return [(str(field.label), self.initial[field.name]) for field in shown]


class StockForm(ServiceForm, Marked):
    """Either a change or a counted number, like the API's."""

    name = "stock"

    delta = forms.IntegerField(
        label=gettext_lazy("Change stock by"),
        required=False,
        min_value=-MAX_UNITS,
        max_value=MAX_UNITS,
        help_text=gettext_lazy("Units received (12) or written off (-3)."),
    )
    set = forms.IntegerField(
        label=gettext_lazy("Or set it to"),
        required=False,
        min_value=0,
        max_value=MAX_UNITS,
        help_text=gettext_lazy("Units on hand after a count, held ones included."),
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200)

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if self.errors:
            return data
        if (data["delta"] is None) == (data["set"] is None):
            self.add_error("delta", _("Give either a change or a counted number."))
        elif data["delta"] == 0:
            self.add_error("delta", _("Zero changes nothing."))
        return data

    def run(self, actor_id: int) -> str:
        data = self.cleaned_data
        movement = inventory.stock_adjust(
            product_id=self.row.pk,
            delta=data["delta"],
            to=data["set"],
            reason=data["reason"],
            actor_id=actor_id,
        )
        if movement is None:
            return _("The count agrees: the stock stays as it is.")
        return _("Stock of %(name)s: %(delta)+d.") % {
            "name": self.row.name,
            "delta": movement.delta,
        }

    def refuse(self, refused: SoukError) -> None:
        super().refuse(refused)
        self.mark()
