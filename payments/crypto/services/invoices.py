"""Invoices: a rate that is locked, and an address that nobody else was given."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from common import clock
from payments.chain.rules import addresses, deposits
from payments.crypto import rules, selectors
from payments.crypto.errors import AddressRefused
from payments.crypto.models import Invoice
from payments.intake import ports
from payments.intake.models import Payment
from payments.intake.rules import Method
from payments.market.services import Rate, quote_create, rate_for_checkout
from shop.catalogue.errors import UnknownToken


@dataclass(frozen=True, slots=True)
class Terms:
    """What a payment in coins is agreed on: the rate, and where coins may go back to."""

    rate: Rate
    refund_address: str = ""


def terms(*, token: str | None, refund_address: str = "") -> Terms:
    """A rate to be trusted with money; without a token the chain's own coin's.

    Never in a transaction: providers may be asked. Raises UnknownToken, RateUnavailable,
    AddressRefused.
    """
    symbol = token or rules.COIN
    if not selectors.is_taken(symbol):
        raise UnknownToken
    others = [name for name in ports.gateways() if name != Method.CRYPTO]
    return Terms(rate_for_checkout(token=symbol, methods=others), _address(refund_address))


def _address(text: str) -> str:
    try:
        return addresses.normal(text) if text else ""
    except ValueError as error:
        raise AddressRefused from error


def invoice_create(*, payment: Payment, terms: Terms) -> Invoice:
    """The invoice of a new payment, in its transaction.

    The payment's key is the index of its address: no two payments ever share one.
    """
    token = terms.rate.token
    watched = timedelta(seconds=settings.CRYPTO_WATCH_SECONDS)
    return Invoice.objects.create(
        payment=payment,
        quote=quote_create(rate=terms.rate),
        chain_id=settings.CHAIN_ID,
        token=token.symbol,
        contract=selectors.contract(token.symbol),
        decimals=token.decimals,
        address=deposits.address_at(settings.CHAIN_XPUB, payment.pk),
        amount=terms.rate.base_units(payment.amount),
        confirmations=rules.depth(
            payment.amount, settings.CRYPTO_CONFIRMATIONS, token.confirmations
        ),
        refund_address=terms.refund_address,
        watched_until=max(payment.expires_at, clock.now()) + watched,
    )
