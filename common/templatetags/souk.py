"""What pages write in one way: money, and codes for cameras."""

from decimal import Decimal

from django import template

from common import qr
from common.money import from_minor

register = template.Library()


@register.filter
def money(minor: int, currency: str = "USD") -> str:
    """123456 → "$1,234.56"; a currency without a sign of its own is named."""
    amount = from_minor(abs(minor), currency)
    text = f"${amount:,}" if currency == "USD" else f"{amount:,} {currency}"
    return f"−{text}" if minor < 0 else text


@register.filter
def grouped(amount: str) -> str:
    """ "1234.50" → "1,234.50"."""
    return f"{Decimal(amount):,f}"


@register.filter
def clock(seconds: int | None) -> str:
    """125 → "02:05"; hours stay minutes."""
    minutes, rest = divmod(seconds or 0, 60)
    return f"{minutes:02}:{rest:02}"


@register.filter
def moment(text: str | None) -> str:
    """ "2026-11-21T09:05:07.123Z" → "2026-11-21 09:05:07"; a dash for none."""
    return "–" if text is None else text[:19].replace("T", " ")


@register.filter
def percent(share: str) -> str:
    """ "0.8571" → "85.71"."""
    return f"{Decimal(share) * 100:.2f}"


@register.filter
def qr_code(text: str) -> str:
    """An SVG element for a page: markup, of which nothing is anybody's text."""
    return qr.payment_qr(text)
