"""The shapes in which the market crosses the HTTP border.

Money is decimal strings here as everywhere, except in `StatsOut` and `DeviationOut`: those shapes
are given from outside and have JSON numbers.
"""

from typing import Any, NoReturn

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import Field

from common.api.serializers import PageQuery, QuerySerializer
from payments.market import selectors
from payments.market.errors import InvalidCoin
from payments.market.rules import coins
from payments.market.rules.coins import Found, Token
from payments.market.rules.prices import Price, number, shown

PRICE = {"type": "string", "pattern": r"^\d+(\.\d+)?$", "example": "0.36"}


@extend_schema_field({"type": "string", "example": "bitcoin"})
class CoinField(serializers.CharField):
    """An id, symbol, alias or contract as the coin it names; whatever else it is, one refusal."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error_messages = {InvalidCoin.code: InvalidCoin.title}

    def fail(self, key: str, **_: Any) -> NoReturn:
        super().fail(InvalidCoin.code)

    def run_validators(self, value: Any) -> None:
        """None: a name that is not in the registry is refused, whatever is wrong with it."""

    def to_internal_value(self, data: Any) -> Any:
        found = coins.find(data) if isinstance(data, str) else None
        return found or self.fail(InvalidCoin.code)


class CoinQuery(QuerySerializer):
    coin = CoinField(help_text="An id of `market/coins/`, or a symbol, alias or contract.")


class HistoryQuery(CoinQuery):
    """`from` (included) to `to` (excluded); by default the last 24 hours."""

    to = serializers.DateTimeField(required=False)

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        # A word of the language.
        return {**super().get_fields(), "from": serializers.DateTimeField(required=False)}


class CoinListQuery(PageQuery):
    pass


class StreamQuery(QuerySerializer):
    """`coin`: of this one alone."""

    coin = CoinField(required=False)
    events = serializers.IntegerField(
        min_value=1, max_value=1000, required=False, help_text="End after so many events."
    )


@extend_schema_field(PRICE)
class PriceField(serializers.CharField):
    """USD, as long as it takes: prices are no amounts of cents."""


def plain(value: Any) -> str | None:
    return None if value is None else format(value.normalize(), "f")


def _moment(value: Any) -> Any:
    return serializers.DateTimeField().to_representation(value)


class CoinOut(serializers.Serializer[Any]):
    """A coin and its newest price; the fields from `price` on are null while there is none."""

    id = serializers.CharField()
    symbol = serializers.CharField()
    name = serializers.CharField()
    contract = serializers.CharField(allow_null=True, help_text="Of its token on Ethereum.")
    aliases = serializers.ListField(child=serializers.CharField())
    retired_ids = serializers.ListField(child=serializers.CharField())
    price = PriceField(allow_null=True)
    market_cap = PriceField(allow_null=True)
    change_24h = serializers.FloatField(allow_null=True, help_text="Percent.")
    # The metaclass takes it off the class, where `source` is every field's own attribute.
    source = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    as_of = serializers.DateTimeField(allow_null=True)
    stale = serializers.BooleanField(allow_null=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {
            "id": instance.id,
            "symbol": instance.symbol,
            "name": instance.name,
            "contract": instance.contract or None,
            "aliases": list(instance.aliases),
            "retired_ids": list(instance.retired),
            **priced(self.context["prices"].get(instance.id)),
        }


_UNPRICED = dict.fromkeys(("price", "market_cap", "change_24h", "source", "as_of", "stale"))


def priced(price: Price | None) -> dict[str, Any]:
    """What is said of a coin's price wherever money is strings."""
    if price is None:
        return dict(_UNPRICED)
    return {
        "price": plain(price.price),
        "market_cap": plain(price.market_cap),
        "change_24h": price.change_24h,
        "source": price.source,
        "as_of": _moment(price.as_of),
        "stale": selectors.is_stale(price),
    }


class StatsOut(serializers.Serializer[Any]):
    """Numbers in USD, the change in percent. `notice` says if the asked id is a retired one."""

    price = serializers.FloatField()
    marketCap = serializers.FloatField(allow_null=True)
    coin = serializers.CharField()
    asked = serializers.CharField(help_text="The name the coin was asked for by.")
    notice = serializers.CharField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]
    as_of = serializers.DateTimeField()
    stale = serializers.BooleanField()

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        # No name can begin with a digit.
        return {**super().get_fields(), "24hChange": serializers.FloatField(allow_null=True)}

    def to_representation(self, instance: tuple[Found, Price]) -> dict[str, Any]:
        found, price = instance
        return {
            "price": number(price.price),
            "marketCap": number(price.market_cap),
            "24hChange": price.change_24h,
            "coin": found.coin.id,
            "asked": found.asked,
            "notice": found.notice,
            "source": price.source,
            "as_of": _moment(price.as_of),
            "stale": selectors.is_stale(price),
        }


class DeviationOut(serializers.Serializer[Any]):
    """Of the newest 100 prices, in USD: two decimals, or as many as six digits take."""

    deviation = serializers.FloatField()
    samples = serializers.IntegerField(min_value=1, max_value=selectors.SAMPLES)
    coin = serializers.CharField()
    notice = serializers.CharField(allow_null=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        found, deviation, samples = instance
        return {
            "deviation": number(shown(deviation)),
            "samples": samples,
            "coin": found.coin.id,
            "notice": found.notice,
        }


class PointOut(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    price = PriceField()
    source = serializers.CharField()  # type: ignore[assignment]


class HistoryOut(serializers.Serializer[Any]):
    """Prices oldest first, evenly thinned where there are more than 500."""

    coin = serializers.CharField()
    notice = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    points = PointOut(many=True)

    def to_representation(self, instance: tuple[Found, list[Price]]) -> dict[str, Any]:
        found, prices = instance
        points = [
            {"at": _moment(p.as_of), "price": plain(p.price), "source": p.source} for p in prices
        ]
        return {
            "coin": found.coin.id,
            "notice": found.notice,
            "currency": "USD",
            "points": points,
        }


class TokenOut(serializers.Serializer[Any]):
    """What can be paid with. `decimals`: those of its base unit."""

    token = serializers.CharField()
    name = serializers.CharField()
    coin = serializers.CharField(help_text="Its id in `market/coins/`.")
    decimals = serializers.IntegerField(min_value=0, max_value=36)
    confirmations = serializers.IntegerField(min_value=1)

    def to_representation(self, instance: Token) -> dict[str, Any]:
        return {
            "token": instance.symbol,
            "name": instance.coin.name,
            "coin": instance.coin.id,
            "decimals": instance.decimals,
            "confirmations": instance.confirmations,
        }


class BudgetOut(serializers.Serializer[Any]):
    """One window: calls of a minute, credits of a day or a month."""

    window = serializers.ChoiceField(["minute", "day", "month"])
    limit = serializers.IntegerField(allow_null=True)
    used = serializers.IntegerField()
    left = serializers.IntegerField(
        allow_null=True, help_text="For a checkout, which may take all there is."
    )
    left_now = serializers.IntegerField(help_text="For a tick: less the reserve, spread evenly.")
    resets_at = serializers.DateTimeField()


class ProviderOut(serializers.Serializer[Any]):
    """`open_until`: the provider is not asked before, because of `reason`."""

    provider = serializers.CharField()
    position = serializers.IntegerField(help_text="1 is asked first.")
    key = serializers.BooleanField(help_text="Whether one is set; never which.")
    open_until = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)
    failures = serializers.IntegerField(help_text="In a row.")
    succeeded_at = serializers.DateTimeField(allow_null=True)
    failed_at = serializers.DateTimeField(allow_null=True)
    budgets = BudgetOut(many=True)


class ProvidersOut(serializers.Serializer[Any]):
    providers = ProviderOut(many=True)
