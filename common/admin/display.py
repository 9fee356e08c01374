"""How amounts, links and JSON look on admin pages."""

import json
from typing import Any, Final

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html

from common import money

# What the admin shows for an empty field; a method that returns None would show "None".
EMPTY: Final = "-"
_SIGNS: Final = {"USD": "$"}
# Who knows a client secret can act on a customer's payment from a browser.
_SECRET: Final = "client_secret"  # noqa: S105


def amount(minor: int, currency: str) -> str:
    """2000, "USD" → "$20.00"; units of a currency unknown here (coins) stay as they are."""
    if currency not in money.DECIMALS:
        return f"{minor} {currency} base units"
    text = format(money.from_minor(minor, currency), ",f")
    sign = _SIGNS.get(currency)
    return f"{sign}{text}" if sign else f"{text} {currency}"


def page_of(row: Model) -> str:
    """The address of a row's admin page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def some(minor: int, currency: str) -> str:
    """An amount, or a dash for zero."""
    return amount(minor, currency) if minor else EMPTY


def link(row: Model | None, text: str = "") -> str:
    """A link to a row's admin page, or a dash."""
    if row is None:
        return EMPTY
    return format_html('<a href="{}">{}</a>', page_of(row), text or str(row))


def pretty(value: Any) -> str:
    """JSON, indented, without client secrets."""
    if not value:
        return EMPTY
    text = json.dumps(_masked(value), indent=2, ensure_ascii=False, sort_keys=True)
    return format_html('<pre class="souk-json">{}</pre>', text)


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: "…" if k == _SECRET and v else _masked(v) for k, v in value.items()}
    return [_masked(v) for v in value] if isinstance(value, list) else value
