"""The only place that locks pools and batches; before ledger accounts, pools before batches."""

from payments.exchange.models import ExchangeBatch, ExchangePool


def pool(currency_id: int) -> None:
    """Everybody who adds to a coin's open batch, takes from it or seals it, one after another.

    Unlocked, two orders would both read what the batch is worth, and neither would find that
    together they reach the minimum.
    """
    ExchangePool.objects.select_for_update().get(pk=currency_id)


def batch(pk: int) -> ExchangeBatch:
    """A sealed batch: its attempts and its members' shares are decided under this lock."""
    found = ExchangeBatch.objects.select_for_update(of=("self",)).select_related("currency")
    return found.get(pk=pk)
