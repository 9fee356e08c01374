"""What people type in. A form that comes back has everything that was typed but passwords."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast
from uuid import uuid4

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.users import rules as users
from common.errors import SoukError
from common.idempotency.errors import KeyReused
from common.money import to_minor
from dashboards.forms import Marked
from dashboards.storefront import selectors, words
from payments.chain.rules import addresses
from payments.intake.rules import Method
from shop.ports import TokenQuote

MOST_MONEY = 999_999


class Once(Marked):
    """`key` makes two clicks on one button one purchase."""

    key = forms.RegexField(r"^[0-9a-f]{32}\Z", widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["key"].initial = lambda: uuid4().hex

    def clean_key(self) -> str:
        return self.cleaned_data["key"] or uuid4().hex

    def again(self, refused: SoukError) -> Self:
        """The form as it was sent; under a new key where the old one stands for other values."""
        if not isinstance(refused, KeyReused):
            return self
        return type(self)({**dict(self.data.items()), "key": uuid4().hex})


@dataclass(frozen=True, slots=True)
class CoinChoice:
    """A token to choose: its button, what is to be paid in it, and its rate in dollars."""

    radio: Any
    amount: str
    quote: TokenQuote


class PayForm(Once):
    """`quotes`: tokens that can be paid with at the moment, by symbol."""

    unfit: ClassVar[frozenset[Method]] = frozenset()

    method = forms.ChoiceField(label=_("Pay with"), widget=forms.RadioSelect)
    token = forms.ChoiceField(
        label=_("Token"),
        required=False,
        widget=forms.RadioSelect,
        error_messages={"invalid_choice": _("This token is not taken now. Choose another one.")},
    )
    refund_address = forms.CharField(
        label=_("Your address for refunds (if you like)"),
        max_length=200,
        required=False,
        help_text=_(
            "Coins that are too many, too few or too late go back there; without one their worth "
            "goes into your wallet here. Not the address of an exchange."
        ),
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        ways = [method for method in selectors.methods() if method not in self.unfit]
        takes_coins = Method.CRYPTO in ways
        quotes = selectors.coin_quotes() if takes_coins else []
        self.quotes = {quote.token: quote for quote in quotes}
        self.lacks_prices = takes_coins and not self.quotes
        self._offer([method for method in ways if method != Method.CRYPTO or self.quotes])

    def _offer(self, methods: list[str]) -> None:
        names = {Method.STRIPE: _("Card"), Method.CRYPTO: _("Coins"), Method.WALLET: _("Wallet")}
        self._choose("method", [(method, names[Method(method)]) for method in methods])
        self._choose("token", [(token, token) for token in self.quotes])

    @property
    def has_ways(self) -> bool:
        return bool(cast(forms.ChoiceField, self.fields["method"]).choices)

    def _choose(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field = cast(forms.ChoiceField, self.fields[name])
        field.choices = choices
        if self.initial.get(name) not in dict(choices):
            self.initial[name] = choices[0][0] if choices else None

    def coins(self, price: int | None) -> list[CoinChoice]:
        """The tokens, with what `price` cents are in each."""
        found = zip(self["token"], self.quotes.values(), strict=True)
        return [CoinChoice(b, "" if price is None else q.amount(price), q) for b, q in found]

    def clean_refund_address(self) -> str:
        """As the API has it: with its checksum."""
        text: str = self.cleaned_data["refund_address"]
        try:
            return addresses.normal(text) if text else ""
        except ValueError as wrong:
            raise ValidationError(str(words.WORDS["invalid_address"])) from wrong

    def clean(self) -> None:
        # What stands in fields that another way to pay does not show is nobody's mistake.
        if self.cleaned_data.get("method") != Method.CRYPTO:
            for name in ("token", "refund_address"):
                self.errors.pop(name, None)
                self.cleaned_data[name] = ""


class BuyForm(PayForm):
    quantity = forms.IntegerField(
        label=_("Quantity"),
        min_value=1,
        max_value=10_000,
        initial=1,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    # The unit price that the buyer has seen, in minor units.
    seen = forms.IntegerField(min_value=1, required=False, widget=forms.HiddenInput)


class FlashForm(BuyForm):
    """`ticket` is of the waiting room, where there is one."""

    ticket = forms.CharField(required=False, widget=forms.HiddenInput)


class DepositForm(PayForm):
    unfit = frozenset({Method.WALLET})

    amount = forms.DecimalField(
        label=_("Amount in dollars"),
        min_value=1,
        max_value=MOST_MONEY,
        decimal_places=2,
        initial=100,
        widget=forms.NumberInput(attrs={"inputmode": "decimal", "step": "0.01"}),
    )

    def clean_amount(self) -> int:
        """In minor units."""
        return to_minor(self.cleaned_data["amount"], "USD")


class SignInForm(Marked):
    identifier = forms.CharField(
        label=_("E-mail or username"),
        max_length=users.EMAIL_MAX,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=128,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class RegisterForm(Marked):
    email = forms.EmailField(
        label=_("E-mail"),
        max_length=users.EMAIL_MAX,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=128,
        strip=False,
        help_text=_("At least 8 characters, and none that everybody uses."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    username = forms.CharField(
        label=_("Username (if you like)"),
        max_length=users.USERNAME_MAX,
        required=False,
        help_text=_("Shown to others on leaderboards. Without one you get a name at random."),
        widget=forms.TextInput(attrs={"autocomplete": "nickname", "autocapitalize": "none"}),
    )

    def clean_email(self) -> str:
        return users.email_normalise(self.cleaned_data["email"])

    def clean_username(self) -> str:
        name: str = self.cleaned_data["username"]
        if name and not users.username_valid(name):
            raise ValidationError(_("3 to 30 letters, digits, dots, dashes or underscores."))
        return name
