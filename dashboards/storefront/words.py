"""Refusals in the words of a page: the API's are for programmers, and in English."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from common.errors import SoukError

WORDS: Final[dict[str, Promise]] = {
    "out_of_stock": _("There are not as many left. Choose a smaller quantity."),
    "price_changed": _("The price has changed since you looked. Please look at it again."),
    "insufficient_funds": _("There is not enough money in your wallet. Pay in, or pay by card."),
    "total_too_large": _("That is more than one order may cost."),
    "method_unavailable": _("This way to pay is not available at the moment."),
    "sale_not_started": _("The sale has not started yet."),
    "sale_ended": _("The sale is over."),
    "sold_out": _("Sold out: not as many units are left. Held ones may come back."),
    "user_limit_reached": _("You have as many units of this sale as one buyer may have."),
    "order_limit_exceeded": _("One order may not have as many units of this sale."),
    "rate_unavailable": _(
        "No price of this token can be trusted at the moment. Try again in a minute, or pay in "
        "another way: the others work as ever."
    ),
    "unknown_token": _("This token is not taken any more. Please choose another one."),
    "invalid_address": _("This is no address of the chain, or a character of it is wrong."),
    "not_admitted": _("This sale has a waiting room, and it is not your turn yet."),
    "too_many_purchases": _("You have bought very often in a short time. Please wait a little."),
    "too_many_from_address": _("Very many purchases come from your network. Please wait a little."),
    "new_account_limit": _("Your account is very new. Please wait before you buy more."),
    "invalid_transition": _("That is no longer possible: the order has moved on."),
    "idempotency_key_in_use": _(
        "Your first click is still being worked on. Look at your purchases."
    ),
    "idempotency_key_reused": _("This form was sent before with other values. Please try again."),
    "throttled": _("Too many attempts. Please wait a little and try again."),
    "invalid_credentials": _("This e-mail or username and this password do not belong together."),
    "email_taken": _("Somebody has registered with this e-mail address. Is it you? Sign in."),
    "username_taken": _("Somebody else has this username."),
    "not_found": _("There is no such thing here, or no longer."),
    "busy": _("Very much is going on. Please try again in a moment."),
}


def words_of(error: SoukError) -> str:
    return str(WORDS.get(error.code, error.detail))
