"""Many products in one transaction, in a few statements for hundreds of them."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from common import clock, context, rows, shelf
from common.audit.services import Act, changes_of, record_many
from common.db import after_commit, transactional
from common.errors import FieldRefused
from shop.catalogue import locks, rules, selectors
from shop.catalogue.errors import FieldMissing, NoSuchCategory, SkuTaken, SlugTaken
from shop.catalogue.models import Category, PriceChange, Product
from shop.catalogue.services.products import (
    assign,
    long_slug,
    plain_slug,
    price_fields,
)
from shop.inventory.services import stocks_open

# A description may have 10,000 characters, and a statement no more than the server takes.
_AT_ONCE: Final = 200
_TERMS: Final = (
    "list_price",
    "discount_percent",
    "discount_starts_at",
    "discount_ends_at",
    "discount_members_only",
)
_FIELDS: Final = ("name", "sku", "slug", "description", *_TERMS)
_COLUMNS: Final = (*_FIELDS, "category_id", "updated_at")

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of one row; `changes` is `{field: [old, new]}`, the category as its slug."""

    product: Product
    created: bool
    changes: dict[str, list[Any]]


@dataclass(slots=True)
class Outcome:
    """By the caller's numbers of rows; nothing was written where any was refused."""

    saved: dict[int, Saved] = field(default_factory=dict)
    refused: dict[int, FieldRefused] = field(default_factory=dict)

    def changed(self) -> dict[int, Saved]:
        return {number: one for number, one in self.saved.items() if one.changes}


@transactional
def products_save(*, key: str, wanted: Mapping[int, Values], actor_id: int | None) -> Outcome:
    """Products as `wanted` (`{row: Changes}`) says: new ones, and changes of those there are.

    `key` is "sku" or "slug", whose value in a row says which product it is. Raises IntegrityError
    where somebody else takes a slug or SKU at the same moment: the whole may be tried again.
    """
    now, categories = clock.now(), selectors.categories_by_slug()
    found = selectors.products_by(key, [values[key] for values in wanted.values()])
    outcome = _decided(key, wanted, found, categories)
    # Only what will change is locked: buyers of all the rest do not wait for the file.
    old = {n: one.product.pk for n, one in outcome.changed().items() if not one.created}
    again = locks.products(old.values())
    outcome.saved |= _redecided(key, {n: wanted[n] for n in old}, again, categories, outcome)
    _name_new(outcome)
    _refuse_taken(outcome)
    if not outcome.refused:
        _write(outcome, actor_id, now)
    return outcome


def _redecided(
    key: str,
    wanted: Mapping[int, Values],
    locked: Iterable[Product],
    categories: Mapping[str, Category],
    outcome: Outcome,
) -> dict[int, Saved]:
    """The same once more on locked rows: another import may have changed them meanwhile."""
    by_key = {rules.same(getattr(product, key)): product for product in locked}
    again = _decided(key, wanted, by_key, categories)
    outcome.refused |= again.refused
    return again.saved


def _decided(
    key: str,
    wanted: Mapping[int, Values],
    found: Mapping[str, Product],
    categories: Mapping[str, Category],
) -> Outcome:
    outcome = Outcome()
    for number, values in wanted.items():
        try:
            product = found.get(rules.same(values[key]))
            outcome.saved[number] = _saved(product, _resolved(values, categories))
        except FieldRefused as refused:
            outcome.refused[number] = refused
    return outcome


def _resolved(values: Values, categories: Mapping[str, Category]) -> dict[str, Any]:
    found = dict(values)
    slug = values.get("category")
    if slug is not None:
        if slug not in categories:
            raise NoSuchCategory
        found["category"] = categories[slug]
    return found


def _saved(product: Product | None, values: dict[str, Any]) -> Saved:
    if product is None:
        _require(values)
        made = Product(uid=uuid.uuid4())
        assign(made, values)
        return Saved(made, True, changes_of({}, _facts(made)))
    before = _facts(product)
    assign(product, values)
    return Saved(product, False, changes_of(before, _facts(product)))


def _require(values: Values) -> None:
    for name, shown in rules.NEEDED.items():
        if name not in values:
            raise FieldMissing(shown)


def _facts(product: Product) -> dict[str, Any]:
    category = product.category.slug if product.category else None
    return {name: getattr(product, name) for name in _FIELDS} | {"category": category}


def _name_new(outcome: Outcome) -> None:
    """A slug for each new product that has none: from its name, where nobody has that."""
    nameless = [one for one in outcome.saved.values() if not one.product.slug]
    wanted = [plain_slug(one.product.name) for one in nameless]
    taken = {one.product.slug for one in outcome.saved.values()}
    taken |= selectors.taken("slug", wanted).keys()
    for one, plain in zip(nameless, wanted, strict=True):
        free = rules.may_be_slug(plain) and plain not in taken
        slug = plain if free else long_slug(one.product.name, one.product.sku)
        one.product.slug, one.changes["slug"] = slug, [None, slug]
        taken.add(slug)


def _refuse_taken(outcome: Outcome) -> None:
    for name, error in (("slug", SlugTaken), ("sku", SkuTaken)):
        changed = {n: one.product for n, one in outcome.saved.items() if name in one.changes}
        owners = selectors.taken(name, [getattr(p, name) for p in changed.values()])
        for number, product in changed.items():
            value = rules.same(getattr(product, name))
            # The first row to ask for it has it from here on.
            if owners.setdefault(value, product.pk or -number) not in (product.pk, -number):
                outcome.refused[number] = error()


def _write(outcome: Outcome, actor_id: int | None, now: datetime) -> None:
    changed = outcome.changed().values()
    new = [one.product for one in changed if one.created]
    old = [one.product for one in changed if not one.created]
    for product in (*new, *old):
        product.updated_at = now
    for part in parts(old):
        rows.change(Product, {c: {p.pk: getattr(p, c) for p in part} for c in _COLUMNS})
    for part in parts(new):
        _insert(part, now)
    stocks_open(product_ids=[product.pk for product in new])
    _note_prices([one for one in changed if one.changes.keys() & set(_TERMS)], actor_id, now)
    record_many([_act(one, actor_id) for one in changed])
    after_commit(shelf.forget)


def _insert(products: list[Product], now: datetime) -> None:
    more = ("uid", "image", "currency", "created_at")
    for product in products:
        product.created_at = now
    columns = (*_COLUMNS, *more)
    rows.insert(Product, columns, [[getattr(p, c) for c in columns] for p in products])
    keys = rows.keys_by(Product, "uid", [product.uid for product in products])
    for product in products:
        product.pk = keys[product.uid]


def _note_prices(priced: Iterable[Saved], actor_id: int | None, now: datetime) -> None:
    made = [price_fields(one.product, actor_id, now, first=one.created) for one in priced]
    for part in parts(made):
        rows.insert(PriceChange, tuple(part[0]), [tuple(row.values()) for row in part])


def _act(one: Saved, actor_id: int | None) -> Act:
    """What the audit log keeps; a description by its length, so that entries stay small."""
    data: dict[str, Any] = {
        name: [value if value is None else _plain(value) for value in pair]
        for name, pair in one.changes.items()
        if name != "description"
    }
    if "description" in one.changes:
        data["description_length"] = [len(value or "") for value in one.changes["description"]]
    action = "product.create" if one.created else "product.update"
    target = f"product:{one.product.slug}"
    return Act(action, target, data, context.request_id.get(), actor_id)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def parts(found: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(found), _AT_ONCE):
        yield found[start : start + _AT_ONCE]
