"""Which of Stripe's test cards to try."""

from typing import Final

from django import forms
from django.utils.translation import gettext_lazy as _

from payments.checkout.paying.rules import TEST_CARDS

_LABELS: Final = (
    _("Visa 4242, which is accepted"),
    _("Mastercard 4444, which is accepted"),
    _("Visa 0002, which is declined"),
    _("Visa 9995, which has no money on it"),
    _("Visa 0069, which has expired"),
    _("Visa 3220, whose bank asks you to confirm (3-D Secure)"),
)


class CardForm(forms.Form):
    card = forms.ChoiceField(
        label=_("Test card"),
        choices=list(zip(TEST_CARDS, _LABELS, strict=True)),
        initial=TEST_CARDS[0],
        widget=forms.RadioSelect,
    )
