"""A stand-in for the exchange venue. See `server.py`.

What a venue has and this has not: an order book, fees, balances that run out, withdrawals. It buys
at prices that only its operator changes.
"""

from payments.sandbox.venue.server import VenueSandbox

__all__ = ["VenueSandbox"]
