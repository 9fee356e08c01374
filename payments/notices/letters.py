"""The words of each mail, and whether there is anything to say: events may be old news.

No links but to the page of a payment that waits for the rest: a mail names the order by its number.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from common import clock
from common.money import to_text
from payments.intake.models import Payment, PaymentEvent, Refund
from payments.intake.rules import Method, Reason, RefundStatus, Status
from payments.intake.serializers import page_of
from payments.notices import rules, selectors
from payments.notices.rules import Letter, Line
from payments.stripe.rules import AUTHENTICATION_GRACE
from shop.orders.models import Order
from shop.orders.rules import Status as OrderStatus

Fact = tuple[str, str]


def write(event: PaymentEvent) -> Letter | None:
    """The mail about this event as things stand now; None where it is no news to the buyer."""
    writer = _WRITERS.get(event.kind)
    return writer(event) if writer else None


def _succeeded(event: PaymentEvent) -> Letter | None:
    payment, reviewed = event.payment, selectors.reviewed(event)
    if not rules.success_is_news(reviewed):
        return None
    more = _after_review(payment, reviewed)
    if payment.order is None:
        text = _("Your deposit has arrived: %(amount)s is in your wallet.")
        said = text % {"amount": _amount(payment)}
        return Letter(_("Your deposit has arrived"), (said, *more), _about(payment))
    return _paid(payment, payment.order, more)


def _paid(payment: Payment, order: Order, more: tuple[str, ...]) -> Letter:
    lines = tuple(
        Line(
            rules.one_line(line.name),
            line.quantity,
            _money(line.unit_price, order.currency),
            _money(line.total, order.currency),
        )
        for line in selectors.lines(order)
    )
    return Letter(
        _("Order %(number)s is paid") % {"number": order.number},
        (_("Thank you for your order. Your payment has arrived."), *more),
        _about(payment),
        lines,
        _money(order.total, order.currency),
    )


def _after_review(payment: Payment, reviewed: str) -> tuple[str, ...]:
    if not reviewed:
        return ()
    if reviewed == Reason.LATE and payment.order is None:
        return (_("It came after its time was over."),)
    if reviewed == Reason.LATE:
        return (_("It came after its time was over, and what you wanted was still there."),)
    said = _("We have looked at it, as it was not what we had asked for, and accepted it.")
    surplus = selectors.surplus(payment)
    if not surplus:
        return (said,)
    text = _("What you paid too much, %(amount)s, is in your wallet.")
    return said, text % {"amount": _money(surplus, payment.currency)}


def _failed(event: PaymentEvent) -> Letter | None:
    payment, order = event.payment, event.payment.order
    status, other = (order.status, selectors.another_open(order)) if order else (None, False)
    if payment.status != Status.FAILED or not rules.failure_is_news(status, another_open=other):
        return None
    if order is None:
        said = _("Your deposit has failed, and you have not been charged. You may try again.")
        return Letter(_("Your deposit has failed"), (said,), _about(payment))
    subject = _("The payment of order %(number)s has failed") % {"number": order.number}
    said = _("Your payment has failed, and you have not been charged.")
    return Letter(subject, (said, _what_to_do(order)), _about(payment))


def _what_to_do(order: Order) -> str:
    if order.status == OrderStatus.PENDING and clock.now() < order.expires_at:
        text = _(
            "We keep everything for you until %(time)s: pay the order with another card or in "
            "another way before then."
        )
        return text % {"time": _time(order.expires_at)}
    return _("The order's time is over as well. Please order again if you still want the goods.")


def _expired(event: PaymentEvent) -> Letter | None:
    payment, order = event.payment, event.payment.order
    if order is None:
        return None
    by_shop = selectors.is_cancelled_by_shop(order)
    if not rules.expiry_is_news(payment.status, order.status, by_shop=by_shop):
        return None
    if order.status == OrderStatus.CANCELLED:
        subject = _("Order %(number)s was cancelled") % {"number": order.number}
        said = _("We have cancelled your order. You have not been charged.")
        return Letter(subject, (said,), _about(payment))
    subject = _("Order %(number)s has expired") % {"number": order.number}
    said = _("No payment has come in time, so we do not keep the goods for you any longer.")
    more = _("You have not been charged. Please order again if you still want them.")
    return Letter(subject, (said, more), _about(payment))


def _processing(event: PaymentEvent) -> Letter | None:
    payment = event.payment
    if payment.status != Status.PROCESSING or not selectors.asks_cardholder(payment):
        return None
    text = _("Please do so before %(time)s; after that we give the payment up.")
    said = (
        _("Your bank wants you to confirm the payment yourself (3-D Secure)."),
        _("Go back to where you paid, or open your bank's app, and follow what it says."),
        text % {"time": _time(payment.expires_at + AUTHENTICATION_GRACE)},
    )
    return Letter(_("Your bank asks you to confirm a payment"), said, _about(payment))


def _refund_asked(event: PaymentEvent) -> Letter | None:
    refund = selectors.refund_of(event)
    if refund.status != RefundStatus.PENDING:
        return None
    text = _("We are sending you %(amount)s back. Your bank takes longer than usual to answer.")
    if refund.payment.method == Method.CRYPTO:
        text = _("We are sending you coins for %(amount)s. The chain has not confirmed it yet.")
    said = text % {"amount": _money(refund.amount, refund.currency)}
    return Letter(_("Your refund is on its way"), (*_why(refund), said), _about_refund(refund))


def _refunded(event: PaymentEvent) -> Letter | None:
    # The payment's own event of that name only sums up its refunds.
    if event.once is None:
        return None
    refund = selectors.refund_of(event)
    if refund.status != RefundStatus.SUCCEEDED or rules.is_surplus(refund.reason):
        return None
    subject = _("We have refunded %(amount)s") % {"amount": _money(refund.amount, refund.currency)}
    return Letter(subject, (*_why(refund), *_where(refund)), _about_refund(refund))


def _why(refund: Refund) -> tuple[str, ...]:
    why = rules.unused_why(refund.reason, by_staff=refund.actor_id is not None)
    if why == Reason.STOCK_GONE:
        return (_("Your payment came after its time was over, and the goods were gone by then."),)
    if why == Reason.MULTIPLE:
        return (_("You had paid already, and more money has come in than was needed."),)
    return ()


def _where(refund: Refund) -> tuple[str, ...]:
    values = {"amount": _money(refund.amount, refund.currency), "address": refund.to_address}
    method = refund.payment.method
    if not rules.goes_to_wallet(refund.destination, method):
        if method == Method.STRIPE:
            text = _(
                "We have sent %(amount)s back to the card that you paid with. Your bank may take "
                "5 to 10 days to show it."
            )
        elif refund.to_address:
            text = _("We have sent coins for %(amount)s to the address %(address)s.")
        else:
            text = _("We have sent %(amount)s back to where it came from.")
        return (text % values,)
    said = _("%(amount)s is in your wallet now.") % values
    if refund.failure:
        return _not_taken(method), said
    return (said,)


def _not_taken(method: str) -> str:
    if method == Method.CRYPTO:
        return _("The chain has not carried out the transfer of your coins.")
    return _("The card could not take the money back.")


def _refund_returned(event: PaymentEvent) -> Letter | None:
    refund = selectors.refund_of(event)
    text = _("Your bank has sent back our refund of %(amount)s.")
    said = text % {"amount": _money(refund.amount, refund.currency)}
    kept = _("So that nothing is lost it is in your wallet now.")
    return Letter(_("Your refund is in your wallet"), (said, kept), _about_refund(refund))


def _review(event: PaymentEvent) -> Letter | None:
    payment = event.payment
    if not rules.review_is_news(payment.status, payment.reason):
        return None
    until = selectors.watched_until(payment) if payment.reason == Reason.UNDERPAID else None
    if until is not None:
        return _rest_asked(payment, until)
    text = _(
        "%(received)s has come in where %(asked)s was asked for. Somebody here is looking at it, "
        "and you will hear from us."
    )
    received = _money(payment.captured, payment.currency)
    said = text % {"received": received, "asked": _amount(payment)}
    if payment.reason not in (Reason.UNDERPAID, Reason.OVERPAID):
        said = _(
            "Your payment has not come in as we had asked for it. Somebody here is looking at it, "
            "and you will hear from us."
        )
    return Letter(_("We are looking at your payment"), (said,), _about(payment))


def _rest_asked(payment: Payment, until: datetime) -> Letter:
    """Nobody has to decide: the rest comes, or all of it goes back."""
    came = _("%(received)s has come in where %(asked)s was asked for.")
    rest = _("The payment's page asks for the rest until %(time)s: %(page)s")
    said = (
        came % {"received": _money(payment.captured, payment.currency), "asked": _amount(payment)},
        rest % {"time": _time(until), "page": page_of(payment)},
        _("If the rest does not come by then, all that has come goes back to you."),
    )
    return Letter(_("A part of your payment is missing"), said, _about(payment))


def _about(payment: Payment) -> tuple[Fact, ...]:
    how = _("Paid with") if payment.captured else _("Way to pay")
    return _what(payment), (_("Amount"), _amount(payment)), (how, _method(payment.method))


def _about_refund(refund: Refund) -> tuple[Fact, ...]:
    payment = refund.payment
    to_wallet = rules.goes_to_wallet(refund.destination, payment.method)
    return (
        _what(payment),
        (_("Refund"), _money(refund.amount, refund.currency)),
        (_("To"), _method(Method.WALLET if to_wallet else payment.method)),
    )


def _what(payment: Payment) -> Fact:
    return (_("Order"), payment.order.number) if payment.order else (_("Deposit"), _("wallet"))


def _method(method: str) -> str:
    return {
        Method.STRIPE: _("card"),
        Method.CRYPTO: _("crypto"),
        Method.WALLET: _("wallet"),
    }[Method(method)]


def _amount(payment: Payment) -> str:
    return _money(payment.amount, payment.currency)


def _money(minor: int, currency: str) -> str:
    return f"{to_text(minor, currency)} {currency}"


def _time(moment: datetime) -> str:
    return f"{date_format(moment.astimezone(UTC), 'j F Y, H:i')} UTC"


_WRITERS: Final[Mapping[str, Callable[[PaymentEvent], Letter | None]]] = {
    Status.SUCCEEDED: _succeeded,
    Status.FAILED: _failed,
    Status.EXPIRED: _expired,
    Status.PROCESSING: _processing,
    Status.REVIEW: _review,
    "refund_asked": _refund_asked,
    Status.REFUNDED: _refunded,
    "refund_returned": _refund_returned,
}
