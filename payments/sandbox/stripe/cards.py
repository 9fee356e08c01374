"""Stripe's test cards, by PaymentMethod name and by number.

Source: https://docs.stripe.com/testing (cards, declines, disputes, refunds, 3-D Secure).
A name that page does not have is unknown here too.
"""

from dataclasses import dataclass

from payments.sandbox.stripe.errors import JSON


@dataclass(frozen=True)
class Decline:
    """How an issuer refuses: the error's code, its decline_code and its message."""

    code: str
    decline_code: str | None
    message: str


@dataclass(frozen=True)
class Card:
    """A test card and what happens to those who pay with it.

    `challenge`: "", "always" or "unless_set_up" (3-D Secure). `after`: "", "dispute",
    "inquiry", "refund_fails" or "refund_pends". `attaches`: whether a customer can keep it.
    """

    name: str
    number: str
    brand: str = "visa"
    funding: str = "credit"
    country: str = "US"
    decline: Decline | None = None
    challenge: str = ""
    after: str = ""
    dispute_reason: str = "fraudulent"
    attaches: bool = True

    @property
    def last4(self) -> str:
        return self.number[-4:]


_NO = "Your card was declined."
_LIMIT = (
    "Your card was declined for making repeated attempts too frequently or exceeding its amount "
    "limit."
)
GENERIC = Decline("card_declined", "generic_decline", _NO)
POOR = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
LOST = Decline("card_declined", "lost_card", _NO)
STOLEN = Decline("card_declined", "stolen_card", _NO)
VELOCITY = Decline("card_declined", "card_velocity_exceeded", _LIMIT)
FRAUD = Decline("card_declined", "fraudulent", _NO)
EXPIRED = Decline("expired_card", None, "Your card has expired.")
CVC = Decline("incorrect_cvc", None, "Your card's security code is incorrect.")
PROCESSING = Decline(
    "processing_error",
    None,
    "An error occurred while processing your card. Try again in a little bit.",
)
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
LIVE_CARD = Decline(
    "card_declined",
    "test_mode_live_card",
    "Your card was declined. Your request was in test mode, but used a non test (live) card. "
    "For a list of valid test cards, visit: https://stripe.com/docs/testing.",
)

_PLAIN = [
    Card("pm_card_visa", "4242424242424242"),
    Card("pm_card_visa_debit", "4000056655665556", funding="debit"),
    Card("pm_card_mastercard", "5555555555554444", "mastercard"),
    Card("pm_card_mastercard_debit", "5200828282828210", "mastercard", "debit"),
    Card("pm_card_mastercard_prepaid", "5105105105105100", "mastercard", "prepaid"),
    Card("pm_card_amex", "378282246310005", "amex"),
    Card("pm_card_discover", "6011111111111117", "discover"),
    Card("pm_card_diners", "3056930009020004", "diners"),
    Card("pm_card_jcb", "3566002020360505", "jcb"),
    Card("pm_card_unionpay", "6200000000000005", "unionpay"),
    Card("pm_card_us", "4242424242424242"),
    Card("pm_card_br", "4000000760000002", country="BR"),
    Card("pm_card_ca", "4000001240000000", country="CA"),
    Card("pm_card_mx", "4000004840008001", country="MX"),
    Card("pm_card_de", "4000002760000016", country="DE"),
    Card("pm_card_fr", "4000002500000003", country="FR"),
    Card("pm_card_gb", "4000008260000000", country="GB"),
    Card("pm_card_au", "4000000360000006", country="AU"),
    Card("pm_card_jp", "4000003920000003", country="JP"),
    Card("pm_card_bypassPending", "4000000000000077"),
]

_DECLINED = [
    Card(f"pm_card_{prefix}chargeDeclined{suffix}", number, decline=decline, attaches=False)
    for prefixes, suffix, number, decline in (
        (("visa_", ""), "", "4000000000000002", GENERIC),
        (("visa_", ""), "InsufficientFunds", "4000000000009995", POOR),
        (("visa_", ""), "LostCard", "4000000000009987", LOST),
        (("visa_", ""), "StolenCard", "4000000000009979", STOLEN),
        (("visa_", ""), "VelocityLimitExceeded", "4000000000006975", VELOCITY),
        (("",), "Fraudulent", "4100000000000019", FRAUD),
        (("",), "ExpiredCard", "4000000000000069", EXPIRED),
        (("",), "IncorrectCvc", "4000000000000127", CVC),
        (("",), "ProcessingError", "4000000000000119", PROCESSING),
    )
    for prefix in prefixes
] + [Card("pm_card_chargeCustomerFail", "4000000000000341", decline=GENERIC)]

_CHALLENGED = [
    Card("pm_card_threeDSecure2Required", "4000000000003220", challenge="always"),
    Card("pm_card_threeDSecureRequired", "4000000000003063", challenge="always"),
    Card("pm_card_threeDSecureOptional", "4000000000003055"),
    Card("pm_card_authenticationRequired", "4000002760003184", country="DE", challenge="always"),
    Card("pm_card_authenticationRequiredOnSetup", "4000002500003155", challenge="unless_set_up"),
    Card(
        "pm_card_authenticationRequiredSetupForOffSession",
        "4000003800000446",
        challenge="unless_off_session",
    ),
    Card(
        "pm_card_threeDSecureRequiredChargeDeclined",
        "4000008400001629",
        decline=GENERIC,
        challenge="always",
    ),
    Card(
        "pm_card_threeDSecureRequiredProcessingError",
        "4000008400001280",
        decline=PROCESSING,
        challenge="always",
    ),
    Card(
        "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
        "4000008260003178",
        country="GB",
        decline=POOR,
        challenge="always",
    ),
]

_TROUBLED = [
    Card("pm_card_createDispute", "4000000000000259", after="dispute"),
    Card(
        "pm_card_createDisputeProductNotReceived",
        "4000000000002685",
        after="dispute",
        dispute_reason="product_not_received",
    ),
    Card("pm_card_createDisputeInquiry", "4000000000001976", after="inquiry"),
    Card("pm_card_refundFail", "4000000000005126", after="refund_fails"),
    Card("pm_card_pendingRefund", "4000000000007726", after="refund_pends"),
]

_ALL = _PLAIN + _DECLINED + _CHALLENGED + _TROUBLED
CARDS = {card.name: card for card in _ALL}
# The first card wins where names share a number.
NUMBERS = {card.number: card.name for card in reversed(_ALL)}
EXTRA_NUMBERS = {
    "4012888888881881": "pm_card_visa",
    "2223003122003222": "pm_card_mastercard",
    "371449635398431": "pm_card_amex",
    "6011000990139424": "pm_card_discover",
    "6011981111111113": "pm_card_discover",
    "36227206271667": "pm_card_diners",
}


def card_for_number(number: str) -> Card | None:
    """The test card with this number, or None for any other."""
    name = NUMBERS.get(number) or EXTRA_NUMBERS.get(number)
    return CARDS[name] if name else None


def luhn(number: str) -> bool:
    """Whether the check digit holds (ISO/IEC 7812-1)."""
    if not (number.isascii() and number.isdigit() and 12 <= len(number) <= 19):
        return False
    digits = [int(digit) for digit in reversed(number)]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + doubled) % 10 == 0


def decline_fields(decline: Decline) -> JSON:
    """The fields a decline adds to an error, in Stripe's names."""
    fields: JSON = {"code": decline.code, "message": decline.message}
    return fields | ({"decline_code": decline.decline_code} if decline.decline_code else {})
