"""Prices of coins, for anybody; and how the providers are doing, for staff."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from common.api.docs import operation, page_of
from common.api.permissions import IsStaff
from common.api.serializers import PageQuery
from common.api.views import ApiView
from common.errors import NotFound
from common.replicas import may_lag
from payments.market import selectors
from payments.market.errors import InvalidCoin, NoData, RangeReversed
from payments.market.rules.coins import COINS
from payments.market.serializers import (
    CoinListQuery,
    CoinOut,
    CoinQuery,
    DeviationOut,
    HistoryOut,
    HistoryQuery,
    ProvidersOut,
    StatsOut,
    TokenOut,
)

TAGS: Final = ["market"]
DAY: Final = timedelta(days=1)
# A day before the first year there is nothing.
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)


class MarketView(ApiView):
    permission_classes = [AllowAny]


class Coins(MarketView):
    @operation(
        "Coins and their newest prices",
        operation_id="market_coins_list",
        answers={200: page_of(CoinOut)},
        refusals=(NotFound,),
        parameters=(CoinListQuery,),
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        self.query(request, CoinListQuery)
        return self.pages(list(COINS), CoinOut, prices=selectors.latest())


class Tokens(MarketView):
    @operation(
        "Tokens that can be paid with",
        operation_id="tokens_list",
        answers={200: page_of(TokenOut)},
        refusals=(NotFound,),
        parameters=(PageQuery,),
        tags=["catalogue"],
    )
    def get(self, request: Request) -> Response:
        self.query(request, PageQuery)
        return self.pages(selectors.tokens(), TokenOut)


class StatsView(MarketView):
    def stats(self, request: Request) -> Response:
        found = self.query(request, CoinQuery)["coin"]
        return Response(StatsOut((found, selectors.price_of(found.coin))).data)


class Stats(StatsView):
    @operation(
        "A coin's price, market cap and change in a day",
        operation_id="market_stats",
        answers={200: StatsOut},
        refusals=(InvalidCoin, NoData),
        parameters=(CoinQuery,),
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        return self.stats(request)


class AssignedStats(StatsView):
    @operation(
        "The same, where the original assignment has it",
        operation_id="stats",
        answers={200: StatsOut},
        refusals=(InvalidCoin, NoData),
        parameters=(CoinQuery,),
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        return self.stats(request)


class DeviationView(MarketView):
    def deviation(self, request: Request) -> Response:
        found = self.query(request, CoinQuery)["coin"]
        return Response(DeviationOut((found, *selectors.deviation(found.coin))).data)


class Deviation(DeviationView):
    @operation(
        "The standard deviation of a coin's newest 100 prices",
        operation_id="market_deviation",
        answers={200: DeviationOut},
        refusals=(InvalidCoin, NoData),
        parameters=(CoinQuery,),
        tags=TAGS,
    )
    @may_lag
    def get(self, request: Request) -> Response:
        return self.deviation(request)


class AssignedDeviation(DeviationView):
    @operation(
        "The same, where the original assignment has it",
        operation_id="deviation",
        answers={200: DeviationOut},
        refusals=(InvalidCoin, NoData),
        parameters=(CoinQuery,),
        tags=TAGS,
    )
    @may_lag
    def get(self, request: Request) -> Response:
        return self.deviation(request)


class History(MarketView):
    @operation(
        "A coin's prices over time",
        operation_id="market_history",
        answers={200: HistoryOut},
        refusals=(InvalidCoin, RangeReversed),
        parameters=(HistoryQuery,),
        tags=TAGS,
    )
    @may_lag
    def get(self, request: Request) -> Response:
        query = self.query(request, HistoryQuery)
        since, until = _span(query)
        found = query["coin"]
        return Response(HistoryOut((found, selectors.history(found.coin, since, until))).data)


def _span(query: dict[str, Any]) -> tuple[datetime, datetime]:
    """Raises RangeReversed."""
    until = query.get("to") or datetime.now(UTC)
    since = query.get("from") or max(until, _EARLIEST) - DAY
    if since >= until:
        raise RangeReversed
    return since, until


class Providers(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "Price providers in their order, and what is left of each budget",
        operation_id="admin_market_providers",
        answers={200: ProvidersOut},
        tags=["staff: market"],
    )
    def get(self, request: Request) -> Response:
        return Response(ProvidersOut({"providers": selectors.providers()}).data)
