"""Send coins or tokens, as a wallet does: on the mock chain or on the one that is set."""

from decimal import Decimal
from typing import Any

from coincurve import PrivateKey
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from payments.chain import gateway
from payments.chain.errors import ChainError
from payments.chain.rules import addresses, amounts, transactions, transfers
from payments.chain.rules.hexes import data
from payments.chain.rules.transactions import Signed, Unsigned


class Command(BaseCommand):
    help = "Sign a payment with a private key and send it to the chain of CHAIN_RPC_URL."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--key", required=True, help="private key, 0x and 64 digits")
        parser.add_argument("--to", required=True, help="address")
        parser.add_argument("--amount", required=True, type=Decimal, help="in coins or tokens")
        parser.add_argument("--token", help="the token's contract; without it the chain's coin")

    def handle(self, *args: Any, key: str, to: str, amount: Decimal, **options: Any) -> None:
        try:
            gateway.chain_verify()
            signed = _payment(data(key, size=32), addresses.normal(to), amount, options["token"])
            self.stdout.write(gateway.send_raw(signed.raw))
        except (ChainError, ValueError) as error:
            raise CommandError(str(error)) from error


def _payment(key: bytes, to: str, amount: Decimal, token: str | None) -> Signed:
    sender = addresses.of_key(PrivateKey(key).public_key)
    target, value, payload = _call(to, amount, token)
    fees = gateway.fees()
    body = Unsigned(
        chain_id=settings.CHAIN_ID,
        nonce=gateway.nonce(sender, "pending"),
        tip=fees.tip,
        max_fee=fees.max_fee,
        gas=gateway.estimate_gas(sender=sender, to=target, value=value, payload=payload),
        to=target,
        value=value,
        data=payload,
    )
    return transactions.sign(body, key)


def _call(to: str, amount: Decimal, token: str | None) -> tuple[str, int, bytes]:
    """Recipient, wei and data of the transaction."""
    if token is None:
        return to, amounts.to_base_units(amount, 18), b""
    contract = addresses.normal(token)
    units = amounts.to_base_units(amount, gateway.token_decimals(contract))
    return contract, 0, transfers.transfer_call(to, units)
