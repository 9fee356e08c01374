"""A stand-in for api.stripe.com, driven through the real stripe-python. See `server.py`."""

from payments.sandbox.stripe.server import StripeSandbox

__all__ = ["StripeSandbox"]
