"""A wallet for trying: a new key with coins and tokens of the mock chain."""

from decimal import Decimal
from typing import Any

from coincurve import PrivateKey
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from payments.chain.node import rules, services
from payments.chain.rules import addresses, amounts

TEXT = """
A wallet of the mock chain, for trying. A key that was on a screen is no key for real money.

  address      {address}
  private key  {key}
  balance      {ether} ETH and {tokens} {symbol}

  RPC URL      {url}
  chain id     {chain_id}
  token        {token} ({symbol}, {decimals} decimals)

Any Ethereum wallet or library takes these. To send a payment without one:

  CHAIN_RPC_URL={url} CHAIN_ID={chain_id} .venv/bin/python manage.py chain_pay \\
    --key {key} \\
    --to ADDRESS --amount 0.01                  (or --token {token})
"""


class Command(BaseCommand):
    help = "Make a key, give it coins and tokens of the mock chain, and say how to pay with it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--ether", type=Decimal, default=Decimal(10))
        parser.add_argument("--tokens", type=Decimal, default=Decimal(10_000))

    def handle(self, *args: Any, ether: Decimal, tokens: Decimal, **options: Any) -> None:
        if not settings.MOCK_CHAIN:
            raise CommandError("There is no mock chain here: CHAIN_RPC_URL names another one.")
        key = PrivateKey()
        address = addresses.of_key(key.public_key)
        try:
            _fund(address.lower(), ether, tokens)
        except DatabaseError as error:
            raise CommandError("The database has no mock chain yet: start the shop.") from error
        self.stdout.write(_told(address, f"0x{key.to_hex()}", ether, tokens))


def _fund(address: str, ether: Decimal, tokens: Decimal) -> None:
    services.chain_ensure()
    services.balance_set(address=address, wei=amounts.to_base_units(ether, 18))
    units = amounts.to_base_units(tokens, rules.TOKEN_DECIMALS)
    services.tokens_set(address=address, amount=units)


def _told(address: str, key: str, ether: Decimal, tokens: Decimal) -> str:
    return TEXT.format(
        address=address,
        key=key,
        ether=ether,
        tokens=tokens,
        symbol=rules.TOKEN_SYMBOL,
        decimals=rules.TOKEN_DECIMALS,
        url=settings.CHAIN_RPC_URL,
        chain_id=settings.CHAIN_ID,
        token=addresses.normal(rules.TOKEN),
    )
