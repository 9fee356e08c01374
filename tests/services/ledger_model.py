"""What the ledger must do, in plain dictionaries: the measure of its random tests."""

from typing import NamedTuple

from accounts.ledger.errors import HoldExpired, InsufficientFunds, ReferenceReused
from common.errors import InvalidTransition, SoukError

Purse = tuple[int, str]
Refusal = type[SoukError] | None


def other(purse: Purse) -> Purse:
    """The same customer's wallet in the other currency."""
    owner, currency = purse
    return owner, "ETH" if currency == "USD" else "USD"


class Call(NamedTuple):
    """One call of the ledger, made so that it can be made again."""

    kind: str
    reference: str
    purse: Purse
    amount: int


class Slip(NamedTuple):
    """What the model knows of a hold."""

    call: Call
    status: str = "pending"
    posted: int = 0
    overdue: bool = False
    # The call that paid from it.
    paid_by: str = ""


class Model:
    """What the ledger must hold: balances, and what each reference has done."""

    def __init__(self) -> None:
        self.available: dict[Purse, int] = {}
        self.held: dict[Purse, int] = {}
        self.done: dict[str, Call] = {}
        self.holds: dict[str, Slip] = {}
        # Debits less credits of what the venue holds, by currency.
        self.venue: dict[str, int] = {}

    def apply(self, call: Call) -> Refusal:
        """Do it in the dictionaries; the refusal to be expected, or None."""
        return getattr(self, f"_{call.kind}")(call)

    def _change(self, call: Call, amount: int) -> Refusal:
        if call.reference in self.done:
            return None if self.done[call.reference] == call else ReferenceReused
        if self.available.get(call.purse, 0) + amount < 0:
            return InsufficientFunds
        self._add(call.purse, amount)
        self.done[call.reference] = call
        return None

    def _add(self, purse: Purse, available: int, held: int = 0) -> None:
        self.available[purse] = self.available.get(purse, 0) + available
        self.held[purse] = self.held.get(purse, 0) + held

    def _deposit(self, call: Call) -> Refusal:
        return self._change(call, call.amount)

    _refund = _deposit

    def _sale(self, call: Call) -> Refusal:
        return self._change(call, -call.amount)

    def _debt(self, call: Call) -> Refusal:
        return self._change(call, -min(call.amount, self.available.get(call.purse, 0)))

    def _hold(self, call: Call) -> Refusal:
        if call.reference in self.holds:
            return None if self.holds[call.reference].call == call else ReferenceReused
        if self.available.get(call.purse, 0) < call.amount:
            return InsufficientFunds
        self._add(call.purse, -call.amount, call.amount)
        self.holds[call.reference] = Slip(call)
        return None

    def _hold_rest(self, call: Call) -> Refusal:
        """The hold does not remember what was asked for: any amount again changes nothing."""
        there = min(call.amount, self.available.get(call.purse, 0))
        if there and call.reference not in self.holds:
            self._hold(call._replace(amount=there))
        return None

    def _post(self, call: Call) -> Refusal:
        slip = self.holds[call.reference]
        if call.amount > slip.call.amount:
            return InsufficientFunds
        if (slip.status, slip.posted) == ("posted", call.amount):
            return None if slip.paid_by == call.kind else ReferenceReused
        if slip.status != "pending":
            return InvalidTransition
        if slip.overdue:
            return HoldExpired
        return self._end(slip, "posted", call.amount, paid_by=call.kind)

    def _settle(self, call: Call) -> Refusal:
        """Pay from a hold for as many units of the other currency, as an exchange order does."""
        before = self.holds[call.reference]
        if refusal := self._post(call):
            return refusal
        if self.holds[call.reference] != before:
            coin = other(call.purse)
            self._add(coin, call.amount)
            self.venue[call.purse[1]] = self.venue.get(call.purse[1], 0) - call.amount
            self.venue[coin[1]] = self.venue.get(coin[1], 0) + call.amount
        return None

    def _void(self, call: Call) -> Refusal:
        slip = self.holds[call.reference]
        if slip.status == "posted":
            return InvalidTransition
        return self._end(slip, "voided") if slip.status == "pending" else None

    def expire(self) -> int:
        late = [s for s in self.holds.values() if s.overdue and s.status == "pending"]
        for slip in late:
            self._end(slip, "expired")
        return len(late)

    def _end(self, slip: Slip, status: str, posted: int = 0, paid_by: str = "") -> None:
        self._add(slip.call.purse, slip.call.amount - posted, -slip.call.amount)
        ended = slip._replace(status=status, posted=posted, paid_by=paid_by)
        self.holds[slip.call.reference] = ended
