"""What the OpenAPI document says of every operation, so that a new route cannot leave it out.

`Schema` is DRF's default schema class. It knows the view, hence who may call it and what it reads;
from that come the refusals with their codes, the headers and the rate limit. `complete` runs over
the finished document and adds what needs all of it: headers to refer to, and example answers.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, is_list_serializer

from common.api.docs import Told
from common.api.examples import example_of
from common.api.idempotent import STORED_REFUSALS
from common.api.problems import CONTENT_TYPE, TYPE_BASE
from common.api.recorded import Answer, answers_of
from common.api.refusals import WRITES, Refusal, refusals_of, refusals_of_fields
from common.api.serializers import Problem, StrictSerializer
from common.limits.rules import scope_of
from common.limits.services import WINDOW_SECONDS, limit_of

_HEADERS: Final = {
    "RateLimit-Limit": "Requests in a window of 60 seconds.",
    "RateLimit-Remaining": "How many of them are left.",
    "RateLimit-Reset": "Seconds until the window ends.",
    "Retry-After": "Seconds to wait.",
    "X-Request-ID": "The request's own id where it sent a good one; logs have it.",
    "Idempotent-Replayed": "Where an earlier call with this key had this answer.",
    "WWW-Authenticate": "How to authenticate.",
}
_TEXT: Final = {
    "X-Request-ID": {"type": "string", "minLength": 1},
    "Idempotent-Replayed": {"type": "string", "enum": ["true"]},
    "WWW-Authenticate": {"type": "string"},
}
_NUMBER: Final = {"type": "integer", "minimum": 0}
_BY: Final = {
    "user": "user",
    "address": "address",
    "pair": "address and account",
    "account": "account from strange addresses",
}
_WAITS: Final = {409, 429, 503}
_METHODS: Final = {"get", "post", "put", "patch", "delete"}
_REF: Final = "#/components/headers/"
_NOTHING: Final = Told()

_MEANING: Final = {
    400: "The request is not valid; `errors` names the fields.",
    401: "Valid credentials are needed.",
    402: "The card was declined.",
    403: "This is not allowed.",
    404: "There is no such thing, or it is not yours.",
    406: "Only JSON can be had here.",
    409: "The current state does not allow this; `code` says why.",
    413: "The body is too large.",
    415: "The content type is not supported.",
    422: "Understood but refused; `code` says why.",
    503: "Too busy; see `Retry-After`.",
}


class Schema(AutoSchema):
    """The library's, with refusals, headers, rate limits, and bodies that take no other field."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        made: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        return made and self._completed(made)

    def _completed(self, operation: dict[str, Any]) -> dict[str, Any]:
        handler = getattr(self.view, self.method.lower())
        told: Told = getattr(handler, "told", _NOTHING)
        operation["x-rate-limit"] = limit = self._limit(told)
        responses = operation["responses"]
        for status, found in self._refusals(told).items():
            responses[str(status)] = self._refused(status, found, limit)
        operation["responses"] = dict(sorted(responses.items()))
        for status, response in responses.items():
            names = _headers(int(status), keyed=told.keyed)
            refs = {name: {"$ref": _REF + name} for name in names}
            response["headers"] = {**response.get("headers", {}), **refs}
        return operation

    def _limit(self, told: Told) -> dict[str, Any]:
        scope = scope_of(self.path, self.method, keyed=told.keyed)
        # Without authentication nobody has a count of their own.
        kinds = ("user", "address") if self.view.authentication_classes else ("address",)
        numbers = {kind: limit_of(scope, kind) for kind in kinds} if scope else {}
        limits = {kind: number for kind, number in numbers.items() if number}
        attempts = {"attempts": told.attempts()} if told.attempts else {}
        return {"scope": scope, "window_seconds": WINDOW_SECONDS, **limits, **attempts}

    def _refusals(self, told: Told) -> dict[int, dict[str, Refusal]]:
        inputs = told.inputs or ((StrictSerializer,) if self.method in WRITES else ())
        found = [each for kind in inputs for each in refusals_of_fields(kind())]
        found += refusals_of(
            self.view, self.method, self.path, declared=told.refusals, keyed=told.keyed
        )
        by_status: dict[int, dict[str, Refusal]] = defaultdict(dict)
        for refusal in found:
            by_status[refusal.status][refusal.code] = refusal
        return by_status

    def _refused(self, status: int, found: dict[str, Refusal], limit: Any) -> dict[str, Any]:
        problem = self.resolve_serializer(Problem, "response").ref
        codes = {"type": "object", "properties": {"code": {"enum": sorted(found)}}}
        content = {
            "schema": {"allOf": [problem, codes]},
            "examples": {code: self._example(found[code]) for code in sorted(found)},
        }
        words = _words(limit) if status == 429 else _MEANING[status]
        return {
            "description": words,
            "content": {CONTENT_TYPE: content},
            "x-codes": sorted(found),
        }

    def _example(self, refusal: Refusal) -> dict[str, Any]:
        name = f"{refusal.status}.{refusal.code}"
        component = ResolvedComponent(  # type: ignore[no-untyped-call]  # by the library
            name=name, type="examples", schema=_problem(refusal), object=name
        )
        self.registry.register_on_missing(component)
        return {"$ref": f"#/components/examples/{name}"}

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Any:
        made = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]  # by the library
        if isinstance(serializer, StrictSerializer):
            made["additionalProperties"] = False
            if serializer.example:
                made["examples"] = [serializer.example]
        return made

    def _map_serializer_field(self, field: Any, *args: Any, **kwargs: Any) -> Any:
        made = super()._map_serializer_field(field, *args, **kwargs)  # type: ignore[no-untyped-call]  # by the library
        if made and is_list_serializer(field):
            made.update(_bounds(field))
        return made


def _bounds(field: Any) -> dict[str, int]:
    bounds = {"minItems": None if field.allow_empty else 1, "maxItems": field.max_length}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _problem(refusal: Refusal) -> dict[str, Any]:
    about = {"field": refusal.field, "code": refusal.code, "detail": refusal.detail}
    detail = f"{refusal.field}: {refusal.detail}" if refusal.field else refusal.detail
    value = {
        "type": TYPE_BASE + refusal.code,
        "title": refusal.title,
        "status": refusal.status,
        "detail": detail,
        "code": refusal.code,
        "instance": "/api/v1/orders/",
        "errors": [about] if refusal.field else [],
    }
    return {"summary": refusal.title, "value": value}


def _headers(status: int, *, keyed: bool) -> list[str]:
    found = ["X-Request-ID"]
    found += [name for name in _HEADERS if name.startswith("RateLimit")]
    found += ["Retry-After"] if status in _WAITS else []
    found += ["WWW-Authenticate"] if status == 401 else []
    again = keyed and (status < 300 or status in STORED_REFUSALS)
    return found + (["Idempotent-Replayed"] if again else [])


def _words(limit: dict[str, Any]) -> str:
    said = [_allowed(limit)] if "address" in limit else []
    said += [_allowed(limit["attempts"])] if "attempts" in limit else []
    return " ".join(["Too many requests.", *said])


def _allowed(limit: dict[str, Any]) -> str:
    numbers = [f"{limit[kind]} by {words}" for kind, words in _BY.items() if kind in limit]
    what = limit.get("counts", "requests")
    return f"In {limit['window_seconds']} seconds, {what}: {', '.join(numbers)}."


def complete(result: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
    """Postprocessing hook of drf-spectacular: the headers, and an example of each answer."""
    components = result.setdefault("components", {})
    components["headers"] = {
        name: {"description": text, "schema": _TEXT.get(name, _NUMBER)}
        for name, text in _HEADERS.items()
    }
    answers, schemas = answers_of(settings.API_EXAMPLES), components.get("schemas", {})
    by_schema: dict[str, Any] = {}
    for where, method, operation in _operations(result):
        _record(operation, [a for a in answers if a.is_at(method, where)], by_schema)
    for _, _, operation in _operations(result):
        _show(operation, schemas, by_schema)
    return result


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for where, item in document["paths"].items():
        # In the document's order: a set's changes from run to run, and so would the examples.
        yield from ((where, method, item[method]) for method in item if method in _METHODS)


def _record(operation: dict[str, Any], answers: list[Answer], by_schema: dict[str, Any]) -> None:
    """Show what was recorded; keep the first of each schema for those without a recording."""
    for status, content in _answers(operation):
        found = [answer.body for answer in answers if answer.status == status]
        if found:
            content["example"] = found[0]
            by_schema.setdefault(_name(content), found[0])
    # Schemas without a name are not each other's.
    by_schema.pop("", None)


def _show(operation: dict[str, Any], schemas: Any, by_schema: dict[str, Any]) -> None:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        own = schemas.get(_name(content), {}).get("examples")
        content["example"] = own[0] if own else example_of(content["schema"], schemas)
    for _, content in _answers(operation):
        if "example" not in content:
            made = example_of(content["schema"], schemas)
            content["example"] = by_schema.get(_name(content), made)


def _name(content: dict[str, Any]) -> str:
    name: str = content["schema"].get("$ref", "").rpartition("/")[2]
    return name


def _answers(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for status, response in operation["responses"].items():
        if status < "300":
            yield from ((status, content) for content in response.get("content", {}).values())
