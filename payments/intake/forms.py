"""What staff do to payments in the admin, each form ending in a service."""

from decimal import Decimal
from typing import Any

from django import forms

from common import money
from common.admin.display import amount
from common.admin.forms import ServiceForm
from payments.chain.rules import addresses
from payments.intake import selectors, services
from payments.intake.models import Payment
from payments.intake.rules import WITHHELD, Destination, Method, Resolution, Status
from shop.orders import rules as order_rules
from shop.orders.rules import LineLeft


class AddressField(forms.CharField):
    """An address of the chain, as it is typed or pasted; empty where it may be."""

    def __init__(self) -> None:
        super().__init__(
            label="To address",
            required=False,
            max_length=42,
            help_text="Of the chain: where the coins go. Empty for the wallet.",
        )

    def clean(self, value: Any) -> str:
        typed = super().clean(value)
        try:
            return addresses.normal(typed) if typed else ""
        except ValueError as error:
            raise forms.ValidationError(
                "This is no address of the chain, or its checksum is wrong."
            ) from error


class RefundForm(ServiceForm):
    """An amount, units of lines, or neither: all that is left."""

    name = "refund"
    label = "Refund"

    amount = forms.DecimalField(
        required=False,
        min_value=Decimal("0.01"),
        max_digits=14,
        decimal_places=2,
        help_text="Empty: what the units chosen below cost, or all that is left.",
    )
    destination = forms.ChoiceField(
        choices=[
            (Destination.ORIGINAL, "Back to where the money came from"),
            (Destination.WALLET, "Into the customer's wallet, at once"),
        ]
    )
    restock = forms.BooleanField(required=False, label="Put the returned units back on the shelf")
    reason = forms.CharField(max_length=200)

    def __init__(self, data: Any = None, *, row: Payment) -> None:
        super().__init__(data, row=row)
        self.left = row.captured - row.refunded - row.refund_pending
        # Money in review has bought nothing: there are no lines to give back.
        self.lines = selectors.lines_refundable(row) if row.status == Status.SUCCEEDED else []
        units = {f"line_{x.line_id}": self._units(x) for x in self.lines if x.quantity}
        self.fields.update(units)
        add_address(self)
        self.order_fields(["once", "amount", *units, "destination", "to_address"])

    def _units(self, line: LineLeft) -> forms.IntegerField:
        left = amount(line.amount, self.row.currency)
        return forms.IntegerField(
            label=line.slug,
            required=False,
            min_value=0,
            max_value=line.quantity,
            help_text=f"Units to refund; {line.quantity} worth {left} left.",
        )

    @classmethod
    def fits(cls, row: Payment) -> bool:
        left = row.captured - row.refunded - row.refund_pending
        refundable = row.status == Status.SUCCEEDED or is_open_review(row)
        return left > 0 and refundable

    def facts(self) -> list[tuple[str, Any]]:
        payment = self.row
        return [
            ("Payment", f"{payment.uid} ({payment.method}, {payment.status})"),
            ("Order", payment.order or "none: a deposit"),
            ("Customer", payment.user.email),
            ("Captured", amount(payment.captured, payment.currency)),
            ("Refunded or on its way back", amount(payment.captured - self.left, payment.currency)),
            ("Left to refund", amount(self.left, payment.currency)),
        ]

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            wanted = self._wanted()
            if not 0 < wanted <= self.left:
                left = amount(self.left, self.row.currency)
                self.add_error("amount", f"{left} is left to refund.")
            elif self.lines and wanted > self._worth_of_lines():
                self.add_error("amount", "This is more than is left of the chosen lines.")
        return self.cleaned_data

    def _chosen(self) -> dict[str, int]:
        units = {x.slug: self.cleaned_data.get(f"line_{x.line_id}") for x in self.lines}
        return {slug: count for slug, count in units.items() if count}

    def _typed(self) -> int | None:
        typed = self.cleaned_data.get("amount")
        return None if typed is None else money.to_minor(typed, self.row.currency)

    def _wanted(self) -> int:
        typed, chosen = self._typed(), self._chosen()
        if typed is not None:
            return typed
        return order_rules.refund_amount(self.lines, chosen) if chosen else self.left

    def _worth_of_lines(self) -> int:
        chosen = self._chosen()
        return sum(x.amount for x in self.lines if not chosen or x.slug in chosen)

    def outcome(self) -> list[str]:
        currency, wanted = self.row.currency, self._wanted()
        return [
            f"{amount(wanted, currency)} goes back to {self.row.user.email} by {self._way()}; "
            f"{amount(self.left - wanted, currency)} is left to refund after that.",
            *self._shares(wanted),
            f"Reason: {self.cleaned_data['reason']}",
            "Money that has gone back cannot be called in again.",
        ]

    def _way(self) -> str:
        if self.cleaned_data["destination"] == Destination.WALLET:
            return "wallet"
        address = self.cleaned_data.get("to_address")
        return f"{self.row.method} to {address}" if address else self.row.method

    def _shares(self, wanted: int) -> list[str]:
        if not self.lines:
            return ["It bought nothing: no order changes."]
        slugs = {line.line_id: line.slug for line in self.lines}
        shelf = "back on the shelf" if self.cleaned_data["restock"] else "returned, not restocked"
        return [
            f"{slugs[share.line_id]}: {amount(share.amount, self.row.currency)}, "
            + (f"units {shelf}: {share.quantity}." if share.quantity else "no units.")
            for share in order_rules.refund_shares(self.lines, wanted, self._chosen())
            if share.amount or share.quantity
        ]

    def run(self, actor_id: int) -> str:
        refund = services.refund_request(
            payment_id=self.row.pk,
            amount=self._typed(),
            lines=self._chosen(),
            restock=self.cleaned_data["restock"],
            destination=Destination(self.cleaned_data["destination"]),
            to_address=self.cleaned_data.get("to_address", ""),
            reason=self.cleaned_data["reason"],
            actor_id=actor_id,
        )
        return f"{amount(refund.amount, refund.currency)} is on its way back."


def add_address(form: ServiceForm) -> None:
    """Only coins go to an address."""
    if form.row.method == Method.CRYPTO:
        form.fields["to_address"] = AddressField()


def is_open_review(payment: Payment) -> bool:
    """Staff may end it: a dispute is ended by the bank."""
    return payment.status == Status.REVIEW and payment.reason not in WITHHELD


class ResolveForm(ServiceForm):
    """The money is taken for its order, or all of it goes back."""

    name = "resolve"
    label = "Resolve"

    resolution = forms.ChoiceField(
        choices=[
            (Resolution.ACCEPT, "Accept the money for its order"),
            (Resolution.REFUND, "Give all of it back"),
        ]
    )
    destination = forms.ChoiceField(
        label="Give it back",
        choices=[
            (Destination.ORIGINAL, "to where it came from"),
            (Destination.WALLET, "into the customer's wallet, at once"),
        ],
    )
    note = forms.CharField(max_length=200)

    def __init__(self, data: Any = None, *, row: Payment) -> None:
        super().__init__(data, row=row)
        add_address(self)
        self.order_fields(["once", "resolution", "destination", "to_address"])

    @classmethod
    def fits(cls, row: Payment) -> bool:
        return is_open_review(row) and not row.refund_pending

    def facts(self) -> list[tuple[str, Any]]:
        payment = self.row
        return [
            ("In review because", payment.reason),
            ("Asked for", amount(payment.amount, payment.currency)),
            ("Came in", amount(payment.captured, payment.currency)),
            ("Order", payment.order or "none: a deposit"),
        ]

    def outcome(self) -> list[str]:
        payment = self.row
        there = payment.captured - payment.refunded
        if self.cleaned_data["resolution"] == Resolution.REFUND:
            address = self.cleaned_data.get("to_address")
            way = f" by {payment.method} to {address}" if address else ""
            return [f"{amount(there, payment.currency)} goes back to {payment.user.email}{way}."]
        return [
            f"{payment.order or 'The deposit'} is paid; its stock is taken if it is still there.",
            *self._difference(there - payment.amount),
        ]

    def _difference(self, more: int) -> list[str]:
        text = amount(abs(more), self.row.currency)
        if more < 0:
            return [f"{text} that is missing is forgiven and posted as a loss."]
        return [f"{text} too much goes into the customer's wallet."] if more else []

    def run(self, actor_id: int) -> str:
        payment = services.payment_resolve(
            payment_id=self.row.pk,
            resolution=Resolution(self.cleaned_data["resolution"]),
            destination=Destination(self.cleaned_data["destination"]),
            to_address=self.cleaned_data.get("to_address", ""),
            note=self.cleaned_data["note"],
            actor_id=actor_id,
        )
        return f"The payment is {payment.status}."
