"""What a route accepts: parsers for each parameter, and refusals in Stripe's words.

Every refusal here happens before execution begins, so none is kept under the call's
idempotency key.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from payments.sandbox.stripe import errors
from payments.sandbox.stripe.errors import JSON

Parser = Callable[[str, Any], Any]

MAX_INTEGER = 2**63 - 1

# Smallest charge by currency, in minor units: https://docs.stripe.com/currencies
MINIMUMS = {
    "usd": 50, "aed": 200, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200,
    "nok": 300, "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip
ZERO_DECIMAL = {"jpy"}
MAX_AMOUNT = 99_999_999
SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}


@dataclass(frozen=True)
class Spec:
    """The parameters of a route: a parser for each name, and the names it cannot do without."""

    fields: Mapping[str, Parser]
    required: tuple[str, ...] = ()
    prefix: str = field(default="", kw_only=True)

    def parse(self, form: JSON) -> JSON:
        """Typed parameters; absent ones are absent. Raises StripeError 400."""
        for name in form:
            if name not in self.fields:
                raise errors.unknown_parameter(self.full(name))
        for name in self.required:
            if name not in form:
                raise errors.missing_parameter(self.full(name))
        return {name: self._one(name, raw) for name, raw in form.items()}

    def full(self, name: str) -> str:
        return f"{self.prefix}[{name}]" if self.prefix else name

    def _one(self, name: str, raw: Any) -> Any:
        if raw == "" and name in self.required:
            raise _empty(self.full(name))
        return self.fields[name](self.full(name), raw)


def _empty(name: str) -> errors.StripeError:
    message = (
        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset "
        f"a parameter; however '{name}' cannot be unset. You should remove '{name}' from your "
        "request or supply a non-empty value."
    )
    return errors.invalid(message, code="parameter_invalid_empty", param=name, stored=False)


def text(name: str, raw: Any) -> str | None:
    """A string; empty means unset."""
    if not isinstance(raw, str):
        raise errors.invalid(f"Invalid string: {raw}", param=name, stored=False)
    if len(raw) > 5000:
        message = f"Invalid string: {raw[:20]}...; must be at most 5000 characters"
        raise errors.invalid(message, param=name, stored=False)
    return raw or None


def email(name: str, raw: Any) -> str | None:
    value = text(name, raw)
    if value is not None and ("@" not in value.strip("@") or len(value) > 512):
        message = f"Invalid email address: {value[:80]}"
        raise errors.invalid(message, code="email_invalid", param=name, stored=False)
    return value


def url(name: str, raw: Any) -> str | None:
    value = text(name, raw)
    if value is not None and not value.startswith(("https://", "http://")):
        raise errors.invalid("Not a valid URL", code="url_invalid", param=name, stored=False)
    return value


def integer(name: str, raw: Any) -> int:
    digits = raw.removeprefix("-") if isinstance(raw, str) else ""
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise errors.invalid_integer(f"Invalid integer: {str(raw)[:40]}", name)
    if abs(value := int(raw)) > MAX_INTEGER:
        raise errors.invalid_integer(f"Invalid integer: {raw}", name)
    return value


def positive(name: str, raw: Any) -> int:
    if (value := integer(name, raw)) < 1:
        raise errors.invalid_integer("This value must be greater than or equal to 1.", name)
    return value


def page_size(name: str, raw: Any) -> int:
    if (value := positive(name, raw)) > 100:
        raise errors.invalid_integer("This value must be less than or equal to 100.", name)
    return value


def boolean(name: str, raw: Any) -> bool:
    if raw not in ("true", "false"):
        raise errors.invalid(f"Invalid boolean: {str(raw)[:40]}", param=name, stored=False)
    return bool(raw == "true")


def one_of(*choices: str) -> Parser:
    """A closed list of words; empty means unset."""

    def parse(name: str, raw: Any) -> str | None:
        if raw != "" and raw not in choices:
            words = ", ".join(choices[:-1]) + f", or {choices[-1]}" if choices[1:] else choices[0]
            raise errors.invalid(
                f"Invalid {name}: must be one of {words}", param=name, stored=False
            )
        return raw or None

    return parse


def currency(name: str, raw: Any) -> str:
    """A supported currency, lower case."""
    value = str(raw).lower()
    if value not in MINIMUMS:
        supported = ", ".join(sorted(MINIMUMS))
        message = f"Invalid currency: {value[:10]}. Stripe currently supports these currencies: "
        raise errors.invalid(message + supported, param=name, stored=False)
    return value


def texts(name: str, raw: Any) -> list[str]:
    if not isinstance(raw, list) or not all(isinstance(item, str) for item in raw):
        raise errors.invalid("Invalid array", param=name, stored=False)
    return raw


def removed_types(name: str, _raw: Any) -> None:
    """`payment_method_types` can be read but not written since 2026-09-30.endive.

    Source: https://docs.stripe.com/changelog (Removes the payment method types parameter).
    """
    message = f"{name} is no longer supported. Use allowed_payment_method_types."
    code = "payment_method_types_no_longer_supported"
    raise errors.invalid(message, code=code, param=name, stored=False)


def any_hash(name: str, raw: Any) -> JSON | None:
    """A hash kept as it came: nothing in the sandbox depends on what is inside."""
    if raw == "":
        return None
    if not isinstance(raw, dict):
        raise errors.invalid("Invalid object", param=name, stored=False)
    return raw


def nested(fields: Mapping[str, Parser], required: tuple[str, ...] = ()) -> Parser:
    """A hash with parameters of its own."""

    def parse(name: str, raw: Any) -> JSON:
        if not isinstance(raw, dict):
            raise errors.invalid("Invalid object", param=name, stored=False)
        return Spec(fields, required, prefix=name).parse(raw)

    return parse


def metadata(name: str, raw: Any) -> JSON:
    """Changes to metadata: an empty value removes its key; `""` as a whole removes all.

    Limits are Stripe's: 50 keys of 40 characters with values of 500.
    """
    if raw == "":
        return {"": None}
    if not isinstance(raw, dict) or not all(isinstance(item, str) for item in raw.values()):
        raise errors.invalid("Invalid object", param=name, stored=False)
    if len(raw) > 50 or any(len(k) > 40 or len(v) > 500 for k, v in raw.items()):
        message = "Metadata can have up to 50 keys of 40 characters, with values of up to 500."
        raise errors.invalid(message, param=name, stored=False)
    return {key: value or None for key, value in raw.items()}


def merge_metadata(old: JSON, changes: JSON) -> JSON:
    """Metadata after `changes` as `metadata()` returns them."""
    if "" in changes:
        return {}
    merged = {**old, **changes}
    return {key: value for key, value in merged.items() if value is not None}


def created(name: str, raw: Any) -> dict[str, int]:
    """`created=<unix s>` or `created[gte]=…`, as comparisons."""
    if isinstance(raw, dict):
        comparison: JSON = nested(dict.fromkeys(("gt", "gte", "lt", "lte"), integer))(name, raw)
        return comparison
    at = integer(name, raw)
    return {"gte": at, "lte": at}


def check_amount(amount: int, code: str) -> None:
    """Stripe's bounds for a charge. Raises StripeError amount_too_small or amount_too_large."""
    if amount < MINIMUMS[code]:
        least = f"Amount must be at least {money(MINIMUMS[code], code)} {code}"
        raise errors.invalid(least, code="amount_too_small", param="amount", stored=False)
    if amount > MAX_AMOUNT:
        most = f"Amount must be no more than {money(MAX_AMOUNT, code)} {code}"
        raise errors.invalid(most, code="amount_too_large", param="amount", stored=False)


def money(amount: int, code: str) -> str:
    """An amount in minor units as Stripe's messages print it: `$10.00`."""
    symbol = SYMBOLS.get(code, "")
    if code in ZERO_DECIMAL:
        return f"{symbol}{amount:,}"
    return f"{symbol}{amount // 100:,}.{amount % 100:02}"


PAGE: dict[str, Parser] = {
    "limit": page_size,
    "starting_after": text,
    "ending_before": text,
    "created": created,
    "expand": texts,
}
NOTHING = Spec({"expand": texts})
