"""What a batch came to: written down once, then given to its members.

Writing it down is one transaction, whatever the number of members. Giving is done by some members
at a time, so that no transaction holds hundreds of wallets; a crash in between is no loss, since
the shares are written and each member's status says whether it has its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models.functions import Now

from accounts.ledger import services as ledger
from accounts.ledger.rules import AccountRef, Entry, Kind, customer, house, move
from common import rows
from common.db import transactional
from payments.exchange import locks, rules, selectors
from payments.exchange.models import ExchangeBatch, ExchangeOrder
from payments.exchange.rules import CASH, BatchState, OrderStatus, Reason

# Members whose wallets one transaction locks.
CHUNK: Final = 50
KIND: Final = "exchange"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`filled` base units for `venue_cost` 10^-18 USD; `reason` where it is nothing."""

    filled: int = 0
    venue_cost: int = 0
    reason: Reason | None = None


def batch_decide(batch: ExchangeBatch, outcome: Outcome) -> None:
    """Write down each member's share; in the caller's transaction, which has the batch locked."""
    members = list(selectors.members(batch.pk))
    weights = [*(order.amount for order in members), batch.house_units]
    split = rules.split(outcome.filled, weights)
    _write_shares(members, split.parts)
    batch.filled, batch.dust, batch.house_filled = outcome.filled, split.dust, split.parts[-1]
    batch.venue_cost, batch.reason = outcome.venue_cost, outcome.reason or ""
    batch.state, batch.decided_at = BatchState.DECIDED, Now()
    batch.save()
    _book_house(batch)


def _write_shares(members: Sequence[ExchangeOrder], parts: Sequence[int]) -> None:
    shares = dict(zip((order.pk for order in members), parts, strict=False))
    charged = {
        order.pk: rules.charge(order.cost, shares[order.pk], order.amount) for order in members
    }
    rows.change(ExchangeOrder, {"filled": shares, "charged": charged})


def _book_house(batch: ExchangeBatch) -> None:
    """Coins that no customer gets: the house's own part, and dust."""
    symbol = batch.currency.symbol
    parts = ((Kind.INVENTORY, batch.house_filled), (Kind.DUST, batch.dust))
    entries = [Entry(house(kind, symbol), -units) for kind, units in parts if units]
    if not entries:
        return
    clearing = Entry(house(Kind.EXCHANGE_CLEARING, symbol), batch.house_filled + batch.dust)
    reference = f"exchange:house:{batch.uid}"
    ledger.transfer_post(reference=reference, kind=KIND, entries=[clearing, *entries])


def members_settle(*, batch_id: int) -> int:
    """Give the members of a decided batch what is theirs; how many got it just now."""
    done = 0
    while count := _settle_some(batch_id):
        done += count
    return done


@transactional
def _settle_some(batch_id: int) -> int:
    batch = locks.batch(batch_id)
    if batch.state != BatchState.DECIDED:
        return 0
    members = selectors.unpaid_members(batch_id, limit=CHUNK)
    ledger.wallets_lock(refs=[ref for order in members for ref in _wallets(order)])
    for order in members:
        _settle(order)
    if len(members) < CHUNK:
        _end(batch)
    return len(members)


def _wallets(order: ExchangeOrder) -> list[AccountRef]:
    cash = customer(order.user_id, CASH)
    return [cash, customer(order.user_id, order.currency.symbol)] if order.filled else [cash]


def _settle(order: ExchangeOrder) -> None:
    if order.filled:
        _pay(order)
    else:
        ledger.hold_void(hold_id=order.hold_id)
    order.status = OrderStatus.SETTLED if order.filled else OrderStatus.FAILED
    order.decided_at = Now()
    order.save(update_fields=["status", "decided_at"])


def _pay(order: ExchangeOrder) -> None:
    """Money for coins; what was not filled of the order is not charged."""
    symbol, reference = order.currency.symbol, f"exchange:{order.uid}"
    ledger.hold_post(
        hold_id=order.hold_id,
        credit=house(Kind.EXCHANGE_CLEARING, CASH),
        kind=KIND,
        amount=order.charged,
    )
    ledger.transfer_post(
        reference=reference,
        kind=KIND,
        entries=move(
            order.filled,
            debit=house(Kind.EXCHANGE_CLEARING, symbol),
            credit=customer(order.user_id, symbol),
        ),
        about=reference,
    )


def _end(batch: ExchangeBatch) -> None:
    batch.state = BatchState.SETTLED if batch.filled else BatchState.FAILED
    batch.ended_at = Now()
    batch.save(update_fields=["state", "ended_at"])
