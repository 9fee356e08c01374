"""PaymentMethods: test cards by name or number, kept by a customer or used once."""

from payments.sandbox.stripe import cards, customers, errors, objects
from payments.sandbox.stripe.cards import CARDS, Card
from payments.sandbox.stripe.context import Context
from payments.sandbox.stripe.errors import JSON
from payments.sandbox.stripe.params import (
    PAGE,
    Spec,
    any_hash,
    integer,
    metadata,
    nested,
    one_of,
    text,
    texts,
)

_CARD = nested(
    {"number": text, "exp_month": integer, "exp_year": integer, "cvc": text},
    ("number", "exp_month", "exp_year"),
)
CREATE = Spec(
    {
        "type": one_of("card"),
        "card": _CARD,
        "billing_details": any_hash,
        "metadata": metadata,
        "allow_redisplay": one_of("always", "limited", "unspecified"),
        "expand": texts,
    },
    ("type", "card"),
)
ATTACH = Spec({"customer": text, "expand": texts}, ("customer",))
LIST = Spec({**PAGE, "customer": text, "type": one_of("card")})
EXPIRY = (12, 2034)


def create(ctx: Context) -> JSON:
    details = ctx.params["card"]
    card = _checked(ctx, details)
    year = details["exp_year"] + (2000 if details["exp_year"] < 100 else 0)
    method = objects.payment_method(card, ctx.now, details["exp_month"], year)
    method["billing_details"].update(ctx.params.get("billing_details") or {})
    ctx.copy_params(method, "allow_redisplay")
    ctx.change_metadata(method)
    ctx.store.put(method, {"card": card.name})
    return method


def retrieve(ctx: Context, id_: str) -> JSON:
    return resolve(ctx, id_, "payment_method", 404, fresh=False)


def attach(ctx: Context, id_: str) -> JSON:
    """Raises card_error for the cards that no customer can keep."""
    customer = customers.living(ctx, ctx.params["customer"])
    method = resolve(ctx, id_, "payment_method", 404)
    if method["customer"] not in (None, customer["id"]):
        message = "The payment method you provided has already been attached to a customer."
        raise errors.invalid(message, param="payment_method")
    refuse_used(ctx, method)
    card = card_of(ctx, method)
    if card.decline and not card.attaches:
        fields = cards.decline_fields(card.decline)
        raise errors.card_error(fields.pop("message"), fields.pop("code"), **fields)
    return keep(ctx, method, customer["id"])


def detach(ctx: Context, id_: str) -> JSON:
    method = ctx.require("payment_method", id_, "payment_method")
    if method["customer"] is None:
        message = (
            "The payment method you provided is not attached to a customer so detachment is "
            "impossible."
        )
        raise errors.invalid(message, param="payment_method")
    method["customer"] = None
    ctx.store.put(method, {**ctx.store.hidden(id_), "spent": True})
    ctx.emit("payment_method.detached", method)
    return method


def list_(ctx: Context) -> JSON:
    where = {"customer": ctx.params.get("customer")}
    return ctx.page("payment_method", "/v1/payment_methods", where)


def list_of_customer(ctx: Context, customer: str) -> JSON:
    customers.living(ctx, customer, "customer", 404)
    url = f"/v1/customers/{customer}/payment_methods"
    return ctx.page("payment_method", url, {"customer": customer})


def keep(ctx: Context, method: JSON, customer: str) -> JSON:
    """The method, now the customer's."""
    if method["customer"] != customer:
        method["customer"] = customer
        ctx.store.put(method)
        ctx.emit("payment_method.attached", method)
    return method


def resolve(ctx: Context, id_: str, param: str, status: int = 400, *, fresh: bool = True) -> JSON:
    """A PaymentMethod by id, or a new one for the name of a test card.

    Raises StripeError resource_missing. With `fresh` False the new one is shown, not stored.
    """
    card = CARDS.get(id_)
    if card is None:
        return ctx.require("payment_method", id_, param, status)
    method = objects.payment_method(card, ctx.now, *EXPIRY)
    if fresh:
        ctx.store.put(method, {"card": card.name})
    return method


def card_of(ctx: Context, method: JSON) -> Card:
    return CARDS[ctx.store.hidden(method["id"])["card"]]


def refuse_used(ctx: Context, method: JSON) -> None:
    """A card of nobody's pays once. Raises StripeError 400."""
    if ctx.store.hidden(method["id"]).get("spent") and method["customer"] is None:
        message = (
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer "
            "attachment, shared with a connected account without Customer attachment, or was "
            "detached from a Customer. It may not be used again. To use a PaymentMethod multiple "
            "times, you must attach it to a Customer first."
        )
        raise errors.invalid(message)


def spend(ctx: Context, method: JSON) -> None:
    ctx.store.put(method, {**ctx.store.hidden(method["id"]), "spent": True})


def set_up(ctx: Context, method: JSON) -> None:
    """Remember that its owner passed 3-D Secure for later payments too."""
    ctx.store.put(method, {**ctx.store.hidden(method["id"]), "set_up": True})


def _checked(ctx: Context, details: JSON) -> Card:
    number = (details["number"] or "").replace(" ", "")
    if not cards.luhn(number):
        raise _refused("Your card number is incorrect.", "incorrect_number", "number")
    _check_expiry(ctx, details["exp_month"], details["exp_year"])
    cvc = details.get("cvc")
    if cvc is not None and not (cvc.isascii() and cvc.isdigit() and len(cvc) in (3, 4)):
        raise _refused("Your card's security code is invalid.", "invalid_cvc", "cvc")
    if (card := cards.card_for_number(number)) is None:
        decline = cards.decline_fields(cards.LIVE_CARD)
        raise errors.card_error(decline.pop("message"), decline.pop("code"), **decline)
    return card


def _check_expiry(ctx: Context, month: int, year: int) -> None:
    if not 1 <= month <= 12:
        message = "Your card's expiration month is invalid."
        raise _refused(message, "invalid_expiry_month", "exp_month")
    this_year = 1970 + ctx.now // 31_556_952
    if not this_year <= year + (2000 if year < 100 else 0) <= this_year + 50:
        message = "Your card's expiration year is invalid."
        raise _refused(message, "invalid_expiry_year", "exp_year")


def _refused(message: str, code: str, param: str) -> errors.StripeError:
    return errors.card_error(message, code, param=f"card[{param}]")
