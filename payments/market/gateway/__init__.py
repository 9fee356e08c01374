"""The only place that talks to price providers. Never call any of this inside a transaction."""

from payments.market.gateway.feeds import FEEDS, Feed, History

__all__ = ["FEEDS", "Feed", "History"]
