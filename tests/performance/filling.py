"""What a small shop has, copied many times: large tables in seconds.

A copy is a shop of its own, its keys moved by a whole number of `STRIDE`s, and some hours older
than the one before. Some of the copies' rows belong to the small shop's customer, product, sale
and so on: these have hundreds.
"""

from collections.abc import Iterator
from typing import Any, Final

from django.apps import apps
from django.db import connection, models

from common.fields import BaseUnitsField

COPIES: Final = 600
# One copy of so many belongs, as far as `SHARED` says, to what the small shop has.
SHARE: Final = 6
# Above all keys of the small shop.
STRIDE: Final = 10_000
STEADY: Final = "STATS_AUTO_RECALC = 0, STATS_SAMPLE_PAGES = 1000"
APPS: Final = ("accounts", "common", "shop", "payments")
# One row for each thing that there is one of, or what is small for ever.
SINGLE: Final = (
    *("MockBlock", "MockHead", "MockAccount", "MockTransaction", "MockLog", "Scan", "HotAccount"),
    *("ExchangeCurrency", "ExchangePool", "ProviderState", "MarketTurn", "SalesMark", "Category"),
    *("PostingMark", "PostingSum"),
)
SHARED: Final = {
    *(("Order", "user"), ("OrderLine", "user"), ("OrderLine", "product"), ("Payment", "user")),
    *(("FlashPurchase", "run"), ("FlashUnit", "run"), ("FlashRun", "sale"), ("Posting", "account")),
    *(("PriceChange", "product"), ("StockMovement", "stock"), ("ExchangeOrder", "user")),
    *(("RiskHit", "user"), ("Export", "actor"), ("Hold", "account")),
    *(("FlashSchedule", "sale"), ("FlashOccurrence", "sale"), ("RefreshFamily", "user")),
}
# Whole numbers that name a row of another table.
NAMED: Final = {"actor_id": "User", "user_id": "User"}
# Unique by an expression.
NAMES: Final = ("username",)

Model = type[models.Model]


def floors() -> dict[str, int]:
    """The largest key of each table: rows up to it are everybody's, and are not copied."""
    return {model.__name__: _last(model) for model in copied() if _root(model) is model}


def copied() -> list[Model]:
    found = (model for app in APPS for model in apps.get_app_config(app).get_models())
    return [model for model in found if model.__name__ not in SINGLE]


def fill(before: dict[str, int], copies: int = COPIES, share: int = SHARE) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION foreign_key_checks = 0, unique_checks = 0")
        for model in copied():
            # Statistics made anew while a test has half of the rows deleted, or of a few pages,
            # let MySQL choose another plan once in some runs.
            cursor.execute(f"ALTER TABLE `{model._meta.db_table}` {STEADY}")
            cursor.execute(_copy(model, before, copies, share))
        for statement in PAST:
            cursor.execute(statement.format(stride=STRIDE))
        cursor.execute("SET SESSION foreign_key_checks = 1, unique_checks = 1")
        tables = ", ".join(model._meta.db_table for model in copied())
        cursor.execute(f"ANALYZE TABLE {tables}")


# What the copies are still waiting for is long over.
PAST: Final = (
    "UPDATE common_outboxmessage SET done_at = created_at WHERE id >= {stride}",
    "UPDATE shop_order SET status = 'expired' WHERE id >= {stride} AND status = 'pending_payment'",
    "UPDATE payments_payment SET status = 'expired', open_for = NULL WHERE id >= {stride}"
    " AND open_for IS NOT NULL",
    "UPDATE payments_invoice SET open = 0 WHERE payment_id >= {stride}",
    # Of most products there is plenty.
    "UPDATE shop_stock SET on_hand = held + 1000 WHERE product_id >= {stride}",
    "UPDATE shop_stockhold SET released_at = created_at, outcome = 'released'"
    " WHERE id >= {stride} AND released_at IS NULL",
    "UPDATE shop_flashrun SET end = 'time', ended_at = starts_at + INTERVAL 1 HOUR"
    " WHERE id >= {stride} AND ended_at IS NULL",
    # Its own are those of the first run.
    "INSERT INTO shop_flashunit (run_id, number, state) SELECT run.id, 1, 'free'"
    " FROM shop_flashrun AS run LEFT JOIN shop_flashunit AS unit ON unit.run_id = run.id"
    " WHERE unit.id IS NULL",
    "UPDATE payments_exchangebatch SET state = 'failed', open_for = NULL, sealed_at = opened_at,"
    " decided_at = opened_at, ended_at = opened_at WHERE id >= {stride}",
    "UPDATE payments_exchangeorder SET status = 'failed', decided_at = placed_at"
    " WHERE batch_id >= {stride}",
    "UPDATE accounts_hold SET status = 'voided', decided_at = created_at"
    " WHERE id >= {stride} AND status = 'pending'",
    "UPDATE shop_salesmark SET last_event = (SELECT MAX(id) FROM shop_orderevent),"
    " months_until = IF(name = 'sales', DATE_FORMAT(UTC_DATE(), '%Y-%m-01'), NULL)",
    # The last copy is left to be read.
    "REPLACE INTO accounts_postingmark (id, until)"
    " SELECT 1, MAX(id) - {stride} FROM accounts_transfer",
    "REPLACE INTO accounts_postingsum (currency, side, amount)"
    " SELECT currency, side, SUM(amount) FROM accounts_posting WHERE transfer_id <="
    " (SELECT until FROM accounts_postingmark) GROUP BY currency, side",
    "UPDATE shop_flashschedule SET active = 0 WHERE id >= {stride}",
    "UPDATE payments_export SET expires_at = UTC_TIMESTAMP(6) + INTERVAL 1 DAY"
    " WHERE id >= {stride}",
    "INSERT IGNORE INTO shop_runsales (run_id, free, held, sold, returned)"
    " SELECT id, 0, 0, 1, 0 FROM shop_flashrun",
    "UPDATE payments_notice SET state = 'sent', ended_at = claimed_until"
    " WHERE event_id >= {stride}",
)


def _copy(model: Model, before: dict[str, int], copies: int, share: int) -> str:
    fields = [field for field in model._meta.concrete_fields if not field.generated]
    names = ", ".join(f"`{field.column}`" for field in fields)
    values = ", ".join(_value(model, field, before, share) for field in fields)
    key, first = model._meta.pk.column, before[_root(model).__name__]
    return (
        f"INSERT INTO `{model._meta.db_table}` ({names})"
        " WITH RECURSIVE copy AS"
        f" (SELECT 1 AS n UNION ALL SELECT n + 1 FROM copy WHERE n < {copies})"
        f" SELECT {values} FROM `{model._meta.db_table}` AS t, copy"
        f" WHERE t.`{key}` > {first} AND t.`{key}` < {STRIDE}"
    )


def _value(model: Model, field: Any, before: dict[str, int], share: int) -> str:
    """The column of a copy, as SQL."""
    column = f"t.`{field.column}`"
    if target := _target(field):
        own = (model.__name__, field.name) not in SHARED
        moved = f"{column} > {before[target]}" + ("" if own else f" AND copy.n % {share}")
        return f"IF({moved}, {column} + copy.n * {STRIDE}, {column})"
    if field.primary_key:
        return f"{column} + copy.n * {STRIDE}"
    if isinstance(field, models.DateTimeField):
        return f"{column} - INTERVAL 6 * copy.n HOUR"
    if isinstance(field, models.DateField):
        return f"{column} - INTERVAL copy.n DAY"
    return _another(field, column) if field in _varied(model) else column


def _another(field: Any, column: str) -> str:
    """Like the first one, and different."""
    if isinstance(field, models.UUIDField):
        # MySQL 9.6 has no MD5 any more.
        return f"LEFT(SHA2(CONCAT({column}, copy.n), 256), 32)"
    if isinstance(field, models.IntegerField | BaseUnitsField):
        return f"{column} + copy.n * {STRIDE}"
    return f"CONCAT(LEFT({column}, {field.max_length - 7}), 'x', copy.n)"


def _varied(model: Model) -> set[Any]:
    """The fields of which no two rows may have the same, and one of each set of such."""
    single = {f for f in model._meta.concrete_fields if f.unique or f.name in NAMES}
    return single.union(*(_of_set(model, names) for names in _unique_sets(model)))


def _unique_sets(model: Model) -> Iterator[tuple[str, ...]]:
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint) and constraint.fields:
            yield constraint.fields


def _of_set(model: Model, names: tuple[str, ...]) -> set[Any]:
    fields = [model._meta.get_field(name) for name in names]
    own = [f for f in fields if _target(f) and (model.__name__, f.name) not in SHARED]
    if own or any(isinstance(field, models.DateField) for field in fields):
        return set()
    return {next(field for field in reversed(fields) if not _target(field))}


def _target(field: Any) -> str | None:
    """The name of the table whose key the column has."""
    if not field.is_relation:
        return NAMED.get(field.column)
    name = _root(field.related_model).__name__
    return None if name in SINGLE else name


def _root(model: Model) -> Model:
    """The table that gives a row its key: the product's for its stock."""
    key = model._meta.pk
    return _root(key.related_model) if key is not None and key.is_relation else model


def _last(model: Model) -> int:
    return model._base_manager.aggregate(last=models.Max("pk"))["last"] or 0
