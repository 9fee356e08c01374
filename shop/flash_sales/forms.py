"""What staff do to flash sales in the admin, each form ending in a service."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from common import money
from common.admin.display import amount
from common.admin.forms import ServiceForm
from shop.catalogue.models import Product
from shop.flash_sales import rules, selectors, services
from shop.flash_sales.models import FlashSale
from shop.flash_sales.services import Offer, Plan
from shop.flash_sales.waiting.rules import MAX_RATE
from shop.orders.rules import MAX_TOTAL


class LimitField(forms.IntegerField):
    def __init__(self) -> None:
        super().__init__(
            required=False,
            min_value=1,
            max_value=rules.MAX_ALLOCATION,
            help_text="Empty: no limit.",
        )


class OfferFields(forms.Form):
    """What a sale offers; an empty limit is none."""

    price = forms.DecimalField(
        label="Sale price (USD)",
        min_value=Decimal("0.01"),
        max_value=money.from_minor(MAX_TOTAL, "USD"),
        decimal_places=2,
    )
    condition_name = forms.CharField(
        max_length=200, required=False, help_text="What buyers are told of whom it is for, and why."
    )
    condition_description = forms.CharField(
        max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    per_order_limit = LimitField()
    per_user_limit = LimitField()
    admission_rate = forms.IntegerField(
        label="Waiting room",
        required=False,
        min_value=1,
        max_value=MAX_RATE,
        help_text="Buyers let in a second, in the order in which they came. Empty: none waits.",
    )

    def offer(self) -> Offer:
        data = self.cleaned_data
        rest = {name: data[name] for name in Offer.__slots__ if name != "price"}
        return Offer(money.to_minor(data["price"], "USD"), **rest)


class PlanFields(forms.Form):
    """When a run is held and with how many units."""

    allocation = forms.IntegerField(min_value=1, max_value=rules.MAX_ALLOCATION)
    starts_at = forms.DateTimeField(help_text="UTC, for example 2030-01-31 18:00.")
    ends_at = forms.DateTimeField(
        required=False,
        help_text="Empty: until all units are paid for, or the next run of the sale starts.",
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        start, end = data.get("starts_at"), data.get("ends_at")
        if start and end and end <= start:
            raise ValidationError({"ends_at": "A run ends after it has started."})
        return data

    def plan(self) -> Plan:
        return Plan(**{name: self.cleaned_data[name] for name in Plan.__slots__})

    def planned(self, product: object) -> list[str]:
        data = self.cleaned_data
        return [
            f"{data['allocation']} units of {product} leave the stock for the run now.",
            f"It starts at {data['starts_at']:%Y-%m-%d %H:%M} UTC.",
        ]


class CreateForm(PlanFields, OfferFields, ServiceForm):
    name = "add"
    label = "Make a flash sale"

    product = forms.ModelChoiceField(Product.objects.filter(archived_at=None).order_by("name"))
    slug = forms.CharField(
        required=False,
        max_length=100,
        help_text="Empty: made from the product's.",
        validators=[
            RegexValidator(
                r"^[a-z0-9]+(?:-[a-z0-9]+)*\Z", "Lower-case letters, digits and single dashes."
            )
        ],
    )
    field_order = ("once", "product", "slug", "price")

    def outcome(self) -> list[str]:
        product, price = self.cleaned_data["product"], self.offer().price
        return [
            f"{product} is offered at {amount(price, 'USD')}; buyers see it at once.",
            *self.planned(product),
        ]

    def run(self, actor_id: int) -> str:
        product = self.cleaned_data["product"].slug
        slug = self.cleaned_data["slug"] or selectors.free_slug(product)
        run = services.sale_create(
            slug=slug, product=product, offer=self.offer(), plan=self.plan(), actor_id=actor_id
        )
        self.row = run.sale
        return f"{slug} is made, and its first run planned."


class ChangeForm(OfferFields, ServiceForm):
    name = "offer"
    label = "Change the offer"

    def __init__(self, data: Any = None, *, row: FlashSale) -> None:
        super().__init__(data, row=row)
        now = {name: getattr(row, name) for name in Offer.__slots__}
        self.initial.update(now, price=money.from_minor(row.price, "USD"))

    def outcome(self) -> list[str]:
        offer = self.offer()
        limits = (offer.per_order_limit or "any number", offer.per_user_limit or "any number")
        return [
            f"{self.row.product} is offered at {amount(offer.price, 'USD')}, "
            "in the run that is open and in those that are planned.",
            "One order may have {}, one customer {}.".format(*limits),
            f"{offer.admission_rate or 'All'} buyers a second are let in.",
        ]

    def run(self, actor_id: int) -> str:
        services.sale_change(sale_id=self.row.pk, offer=self.offer(), actor_id=actor_id)
        return f"The offer of {self.row} is changed."


class ScheduleForm(PlanFields, ServiceForm):
    name = "schedule"
    label = "Plan a run"

    def outcome(self) -> list[str]:
        return [*self.planned(self.row.product), "Its terms are those that the sale has today."]

    def run(self, actor_id: int) -> str:
        run = services.run_schedule(sale_id=self.row.pk, plan=self.plan(), actor_id=actor_id)
        return f"Run {run.number} of {self.row} is planned."


class ReplanForm(PlanFields, ServiceForm):
    name = "replan"
    label = "Change the run"

    # The run whose values the form shows: they are not to be another's, if that one ends meanwhile.
    number = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, row: FlashSale) -> None:
        super().__init__(data, row=row)
        self.at_hand = selectors.run_at_hand(row)
        if run := self.at_hand:
            now = Plan(run.allocation, run.starts_at, run.planned_window.ends_at)
            self.initial.update({name: getattr(now, name) for name in Plan.__slots__})
            self.initial["number"] = run.number

    def facts(self) -> list[tuple[str, Any]]:
        return [] if self.at_hand is None else [("Run", self.at_hand.number)]

    def clean(self) -> dict[str, Any]:
        if "number" in self.changed_data:
            raise ValidationError("Another run is the next by now; open the form anew.")
        return super().clean()

    @classmethod
    def fits(cls, row: FlashSale) -> bool:
        return selectors.run_at_hand(row) is not None

    def changes(self) -> dict[str, Any]:
        """Only what is new: the browser is shown moments without their fractions of a second."""
        return {
            name: self.cleaned_data[name] for name in Plan.__slots__ if name in self.changed_data
        }

    def outcome(self) -> list[str]:
        data = self.cleaned_data
        return [
            f"The open run, or else the next one, has {data['allocation']} units; "
            "the difference comes out of the stock, or goes back to it.",
            f"It starts at {data['starts_at']:%Y-%m-%d %H:%M} UTC.",
        ]

    def run(self, actor_id: int) -> str:
        services.sale_patch(sale_id=self.row.pk, changes={}, plan=self.changes(), actor_id=actor_id)
        return f"The run of {self.row} is changed."


class EndForm(ServiceForm):
    name = "end"
    label = "End the run"

    @classmethod
    def fits(cls, row: FlashSale) -> bool:
        return row.runs.filter(ended_at=None).exists()

    def outcome(self) -> list[str]:
        return [
            "The open run, or else the next one, ends now; this cannot be undone.",
            "Its free units go back to the stock, held ones as soon as their orders end.",
        ]

    def run(self, actor_id: int) -> str:
        run = services.sale_end(sale_id=self.row.pk, actor_id=actor_id)
        return f"Run {run.number} of {self.row} has ended."
