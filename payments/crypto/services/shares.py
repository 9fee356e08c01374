"""Which coins a refund takes: written with it, also where the money goes into the wallet."""

from collections import defaultdict

from payments.crypto import locks, rules, selectors
from payments.crypto.models import CoinRefund, CreditShare
from payments.crypto.rules import Left
from payments.intake.models import Refund
from payments.intake.rules import Destination


def shares_take(*, refund: Refund) -> None:
    """In the refund's transaction, under the payment's lock: the credits counted last go first.

    Raises RuntimeError where the counted credits do not cover it: the totals are wrong.
    """
    taken = rules.taken(_left(refund.payment_id), refund.amount)
    if sum(value for *_, value in taken) != refund.amount:
        raise RuntimeError(f"refund {refund.uid} is more than the coins that were counted")
    CreditShare.objects.bulk_create(
        CreditShare(refund=refund, credit_id=key, units=units, value=value)
        for key, _, units, value in taken
    )
    if refund.destination == Destination.ORIGINAL:
        _plan(refund, taken)


def _left(invoice_id: int) -> list[Left]:
    counted = [each for each in locks.credits(invoice_id) if each.counted_at is not None]
    gone = selectors.gone(invoice_id)
    return [
        Left(each.pk, each.token, each.amount, each.value or 0, *gone.get(each.pk, (0, 0)))
        # Those that the chain took back are the last to be taken: nobody has them to send.
        for each in sorted(counted, key=lambda each: (each.active, each.counted_at, each.pk))
    ]


def _plan(refund: Refund, taken: list[tuple[int, str, int, int]]) -> None:
    """One transfer for each token."""
    units = defaultdict[str, int](int)
    for _, token, part, _ in taken:
        units[token] += part
    invoice = selectors.invoice_get(refund.payment_id)
    CoinRefund.objects.bulk_create(
        CoinRefund(
            refund=refund,
            chain_id=invoice.chain_id,
            token=token,
            contract=selectors.contract(token),
            amount=amount,
            to_address=refund.to_address,
        )
        for token, amount in sorted(units.items())
        if amount
    )
