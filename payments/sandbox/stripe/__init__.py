"""A stand-in for api.stripe.com, driven through the real stripe-python. See `server.py`.

What Stripe has and this has not: payment methods other than cards, `payment_method_data` and
ConfirmationTokens, SetupIntents, Checkout, Connect, webhook endpoints as objects (there is one
URL, which gets every event), rate limits of its own, search, and evidence for disputes. A
partial capture leaves `amount_refunded` at 0. The balance has one fee (2.9 % and 30 minor
units) and its lines never become available. A test card's name that Stripe's testing page does
not have is unknown here too.
"""

from payments.sandbox.stripe.server import StripeSandbox

__all__ = ["StripeSandbox"]
