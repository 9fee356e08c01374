"""Serializers that ignore nothing, and the fields in which money crosses the HTTP border."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar, Final

from django.utils.translation import get_language
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from common import money

Reader = serializers.Serializer[Any]
# 256 KiB hold 20,000 names, and an answer that repeats them all is ten times that long.
MOST_UNKNOWN: Final = 100


class StrictSerializer(serializers.Serializer[Any]):
    """A body or query in which an unknown field is an error, not a silent mistake."""

    unknown_code = "unknown_field"
    # What the document shows; without one, the fields of it are filled in by their names.
    example: ClassVar[dict[str, Any]] = {}

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if hasattr(data, "keys") else set()
        if unknown:
            detail = ErrorDetail("This field is not known here.", code=self.unknown_code)
            names = sorted(map(str, unknown))[:MOST_UNKNOWN]
            raise ValidationError({name: [detail] for name in names})
        return super().to_internal_value(data)


def validated(reader: type[Reader], data: Any) -> dict[str, Any]:
    """What a body or a query says; raises ValidationError."""
    found: Mapping[str, Any] = reader_of(reader, get_language()).run_validation(data)
    return dict(found)


@cache
def reader_of(reader: type[Reader], language: str | None) -> Reader:
    """One for all requests in a language, which must keep nothing of any of them.

    Each new one copies each of its fields, 0.1 ms of a purchase. DRF's own messages stay in the
    language in which they were first told.
    """
    return reader()


class QuerySerializer(StrictSerializer):
    """The query parameters of a list; a wrong name or value is a 400 that says which."""

    unknown_code = "unknown_parameter"


class PageQuery(QuerySerializer):
    page = serializers.IntegerField(min_value=1, max_value=10**9, required=False)
    page_size = serializers.IntegerField(min_value=1, max_value=100, required=False)


class CursorQuery(QuerySerializer):
    default_error_messages = {"invalid_cursor": "This cursor is not valid."}

    cursor = serializers.CharField(max_length=500, required=False)
    page_size = serializers.IntegerField(min_value=1, max_value=100, required=False)


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer: no string, no boolean, no 1.0."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictBooleanField(serializers.BooleanField):
    """JSON true or false: DRF would also take "yes" and 1."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class StrictListField(serializers.ListField):
    """A list whose length is looked at first: thousands of wrong members take a second to name."""

    def to_internal_value(self, data: Any) -> list[Any]:
        most = self.max_length
        if isinstance(data, list) and most is not None and len(data) > most:
            self.fail("max_length", max_length=most)
        return super().to_internal_value(data)


class StrictCharField(serializers.CharField):
    """A JSON string: DRF would also take a number and store its digits."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field({"type": "string", "pattern": r"^\d{1,12}(\.\d{1,2})?$", "example": "10.50"})
class MoneyField(serializers.Field[Any, Any, Any, Any]):
    """Dollars: `"10.50"` outside, 1050 inside. Zero and below are refused unless `allow_zero`."""

    default_error_messages = {
        "invalid": 'A decimal string with at most two decimals, such as "10.50".',
        "not_positive": "The amount must be above zero.",
        "too_large": "The amount must not be above {limit}.",
    }

    def __init__(
        self,
        *,
        currency: str = "USD",
        allow_zero: bool = False,
        max_minor: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.currency, self.allow_zero, self.max_minor = currency, allow_zero, max_minor
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        minor = self._parse(data)
        if minor < 0 or (minor == 0 and not self.allow_zero):
            self.fail("not_positive")
        if self.max_minor is not None and minor > self.max_minor:
            self.fail("too_large", limit=money.to_text(self.max_minor, self.currency))
        return minor

    def _parse(self, data: Any) -> int:
        text = str(data) if isinstance(data, str | int | Decimal) else ""
        digits = text.removeprefix("-")
        whole, _, part = digits.partition(".")
        # ASCII digits only: Decimal() would also take exponents, underscores and other scripts.
        if not (whole.isascii() and whole.isdigit() and len(whole) <= 12):
            self.fail("invalid")
        if "." in digits and not (part.isascii() and part.isdigit()):
            self.fail("invalid")
        if len(part) > money.DECIMALS[self.currency]:
            self.fail("invalid")
        try:
            return money.to_minor(Decimal(text), self.currency)
        except ValueError:
            self.fail("invalid")

    def to_representation(self, value: int) -> str:
        return money.to_text(value, self.currency)


AMOUNT: Final = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "example": "10.50"}


@extend_schema_field(AMOUNT)
class AmountField(serializers.CharField):
    """Money in an answer, a string already."""


class ProblemItem(serializers.Serializer[Any]):
    field = serializers.CharField(allow_blank=True)
    code = serializers.CharField()
    detail = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """RFC 9457 problem document; some codes add members of their own."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    instance = serializers.CharField()
    # A field by name only: the metaclass takes it off the class, where `errors` is a property.
    errors = ProblemItem(many=True)  # type: ignore[assignment]
