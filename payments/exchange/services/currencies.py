"""Coins for sale, as staff list them."""

from django.db import IntegrityError, transaction

from common.audit.services import changes_of
from common.audit.services import record as audit
from common.db import transactional
from payments.exchange import locks, selectors
from payments.exchange.errors import CurrencyExists
from payments.exchange.models import ExchangeCurrency, ExchangePool
from payments.exchange.services import pool


def _facts(row: ExchangeCurrency) -> dict[str, object]:
    return {"price": str(row.price), "minimum": row.minimum, "active": row.active}


@transactional
def currency_create(
    *, symbol: str, name: str, price: int, minimum: int, actor_id: int
) -> ExchangeCurrency:
    """Offer a coin that `common.money` has decimals for. Raises CurrencyExists."""
    row = ExchangeCurrency(symbol=symbol, name=name, price=price, minimum=minimum)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise CurrencyExists from error
    ExchangePool.objects.create(currency=row)
    _tell(row, {}, actor_id)
    return row


@transactional
def currency_update(
    *, currency_id: int, price: int, minimum: int, active: bool, actor_id: int
) -> None:
    """Orders that are placed keep their price; a lower minimum may seal those that wait."""
    locks.pool(currency_id)
    row = selectors.currency(currency_id)
    before = _facts(row)
    row.price, row.minimum, row.active = price, minimum, active
    row.save(update_fields=["price", "minimum", "active"])
    _tell(row, before, actor_id)
    batch = selectors.open_batch(currency_id)
    if batch is not None and batch.members and pool.batch_is_enough(batch, row):
        pool.batch_seal(batch)


def _tell(row: ExchangeCurrency, before: dict[str, object], actor_id: int) -> None:
    audit(
        actor_id=actor_id,
        action="exchange.currency",
        target=f"exchange_currency:{row.symbol}",
        data=changes_of(before, _facts(row)),
    )
