"""Which refusals a route can answer with: those it declares, and those that every route has."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from rest_framework import exceptions, serializers
from rest_framework.permissions import AllowAny, IsAuthenticated

from common import errors
from common.api.parsers import StrictJSONParser
from common.api.serializers import StrictSerializer
from common.idempotency.errors import BadKey, KeyInUse, KeyReused

WRITES: Final = {"POST", "PUT", "PATCH"}
# Messages of a field that it can only give where this attribute is set.
_BOUNDS: Final = {"max_length", "min_length", "max_value", "min_value"}
_SAID: Final = {"blank": "allow_blank", "null": "allow_null", "empty": "allow_empty"}


class Refusal(NamedTuple):
    """One `code` of one status, with words for an example; `field` where it is about one."""

    status: int
    code: str
    title: str
    detail: str
    field: str = ""


def refusals_of(
    view: Any, method: str, path: str, *, declared: Iterable[type[errors.SoukError]], keyed: bool
) -> list[Refusal]:
    """All but those about fields, which `refusals_of_fields` finds."""
    found: list[type[errors.SoukError]] = [
        errors.TooLarge,
        errors.TooManyRequests,
        errors.Busy,
        *declared,
    ]
    found += [errors.NotFound] if "{" in path else []
    found += [BadKey, KeyInUse, KeyReused] if keyed else []
    found += _of_caller(view)
    return [_of_class(each) for each in found] + list(_of_framework(view, method))


def _of_caller(view: Any) -> Iterator[type[errors.SoukError]]:
    for authentication in view.authentication_classes:
        yield from getattr(authentication, "refusals", ())
    asked = set(view.permission_classes) - {AllowAny}
    if asked:
        yield errors.Unauthorized
    if asked - {IsAuthenticated}:
        yield errors.Forbidden


def _of_class(error: type[errors.SoukError]) -> Refusal:
    field = getattr(error, "field", "")
    return Refusal(error.status, error.code, error.title, error.title, field)


def _of_framework(view: Any, method: str) -> Iterator[Refusal]:
    raised: list[type[exceptions.APIException]] = [exceptions.NotAcceptable]
    if method in WRITES:
        raised += [exceptions.UnsupportedMediaType]
    for each in raised:
        words = re.sub(r"[\"{]+\w+[\"}]+", "", str(each.default_detail)).strip()
        yield Refusal(each.status_code, str(each.default_code), words, words)
    if method in WRITES:
        strict = StrictJSONParser in view.parser_classes
        words = "The body is not valid JSON." if strict else "The form is damaged."
        code = "malformed" if strict else exceptions.ParseError.default_code
        yield Refusal(400, code, str(exceptions.ParseError.default_detail), words)


def refusals_of_fields(bound: StrictSerializer) -> list[Refusal]:
    """The codes with which a body or query can be refused, each once, from its own fields."""
    unknown = Refusal(400, bound.unknown_code, errors.Invalid.title, "This is not known.", "colour")
    mixed = Refusal(400, errors.Invalid.code, errors.Invalid.title, "Several things are wrong.")
    codes = {each.code: each for each in (*_of_field(bound, ""), mixed, unknown)}
    return list(codes.values())


def _of_field(field: Any, name: str) -> Iterator[Refusal]:
    messages = {code: text for code, text in field.error_messages.items() if _can(field, code)}
    for validator in field.validators:
        messages.setdefault(getattr(validator, "code", "invalid"), "This is not valid.")
    for code, text in messages.items():
        words = re.sub(r"{(\w+)}", lambda part: str(getattr(field, part[1], "…")), str(text))
        yield Refusal(400, code, errors.Invalid.title, words, name)
    if isinstance(field, serializers.ListSerializer):
        yield from _of_field(field.child, f"{name}[0]")
    for inner in getattr(field, "fields", {}).values():
        dotted = f"{name}.{inner.field_name}" if name else inner.field_name
        yield from _of_field(inner, dotted)


def _can(field: Any, code: str) -> bool:
    if code in _BOUNDS:
        return getattr(field, code, None) is not None
    if code == "required":
        return bool(field.required)
    return not getattr(field, _SAID.get(code, ""), False)
