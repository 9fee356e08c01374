"""What staff do to the exchange in the admin, each form ending in a service."""

from typing import Any

from django import forms

from common.admin.display import amount
from common.admin.forms import ServiceForm
from common.money import DECIMALS, from_minor, to_minor
from payments.exchange import services
from payments.exchange.models import ExchangeBatch, ExchangeCurrency
from payments.exchange.rules import CASH, BatchState
from payments.market.rules.prices import HIGHEST, to_units


class RetryForm(ServiceForm):
    name = "retry"
    label = "Try again now"

    @classmethod
    def fits(cls, row: ExchangeBatch) -> bool:
        return row.state in (BatchState.SEALED, BatchState.DECIDED)

    def outcome(self) -> list[str]:
        return ["A worker asks the venue at once, by the order's id before anything is sent again."]

    def run(self, actor_id: int) -> str:
        services.batch_retry(batch_id=self.row.pk, actor_id=actor_id)
        return "A worker sees to it."


class GiveBackForm(ServiceForm):
    name = "give-back"
    label = "Give back"

    @classmethod
    def fits(cls, row: ExchangeBatch) -> bool:
        return row.state in (BatchState.OPEN, BatchState.SEALED) and row.members > 0

    def outcome(self) -> list[str]:
        return [
            f"{amount(self.row.cost, CASH)} go back to {self.row.members} orders.",
            "Nothing is bought for them. It is refused while the venue may have bought.",
        ]

    def run(self, actor_id: int) -> str:
        services.batch_give_back(batch_id=self.row.pk, actor_id=actor_id)
        return "The money is on its way back."


class ReconcileForm(ServiceForm):
    name = "reconcile"
    label = "Ask the venue"

    @classmethod
    def fits(cls, row: ExchangeBatch) -> bool:
        return row.state == BatchState.SEALED

    def outcome(self) -> list[str]:
        return ["The venue is asked what it knows of the batch; nothing is sent again."]

    def run(self, actor_id: int) -> str:
        services.batch_reconcile(batch_id=self.row.pk, actor_id=actor_id)
        return "The venue was asked; what it answered is written down."


class _PriceForm(ServiceForm):
    price = forms.DecimalField(max_digits=30, decimal_places=18, help_text="USD for one coin.")
    minimum = forms.DecimalField(
        max_digits=12, decimal_places=2, help_text="The least that the venue takes, in USD."
    )

    def clean(self) -> dict[str, Any]:
        for name in ("price", "minimum"):
            value = self.cleaned_data.get(name)
            if value is not None and not 0 < value <= HIGHEST:
                self.add_error(name, "It must be above zero.")
        return self.cleaned_data

    def _price(self) -> int:
        return to_units(self.cleaned_data["price"])

    def _minimum(self) -> int:
        return to_minor(self.cleaned_data["minimum"], CASH)


class CurrencyForm(_PriceForm):
    name = "list"
    label = "List a coin"

    symbol = forms.ChoiceField(choices=[(each, each) for each in sorted(DECIMALS) if each != CASH])
    title = forms.CharField(max_length=60, label="name")

    def outcome(self) -> list[str]:
        found = self.cleaned_data
        return [f"{found['title']} ({found['symbol']}) is for sale at ${found['price']:f}."]

    def run(self, actor_id: int) -> str:
        self.row = services.currency_create(
            symbol=self.cleaned_data["symbol"],
            name=self.cleaned_data["title"],
            price=self._price(),
            minimum=self._minimum(),
            actor_id=actor_id,
        )
        return f"{self.row} is for sale."


class CurrencyChangeForm(_PriceForm):
    name = "reprice"
    label = "Change price or minimum"

    active = forms.BooleanField(required=False, label="for sale")

    def __init__(self, data: Any = None, *, row: ExchangeCurrency) -> None:
        super().__init__(data, row=row)
        self.initial.update(
            price=row.unit_price.normalize(),
            minimum=from_minor(row.minimum, CASH),
            active=row.active,
        )

    def outcome(self) -> list[str]:
        found = self.cleaned_data
        return [
            f"One {self.row} costs ${found['price']:f}; the minimum is ${found['minimum']:f}.",
            "It is for sale." if found["active"] else "It is not for sale.",
            "Orders that are placed keep their price.",
        ]

    def run(self, actor_id: int) -> str:
        services.currency_update(
            currency_id=self.row.pk,
            price=self._price(),
            minimum=self._minimum(),
            active=self.cleaned_data["active"],
            actor_id=actor_id,
        )
        return f"{self.row} is changed."
