"""What the OpenAPI document says of every operation, new ones included."""

from typing import Any, Final

from common.limits.rules import scope_of
from common.limits.services import limit_of

_HEADERS: Final = {
    "RateLimit-Limit": "Requests in a window of 60 seconds.",
    "RateLimit-Remaining": "How many of them are left.",
    "RateLimit-Reset": "Seconds until the window ends.",
    "Retry-After": "Seconds to wait.",
}
_METHODS: Final = {"get", "post", "put", "patch", "delete"}
_REF: Final = "#/components/headers/"


def rate_limits(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Postprocessing hook of drf-spectacular: 429 and the limit's headers, on every operation."""
    components = result.setdefault("components", {})
    components["headers"] = {
        name: {"description": text, "schema": {"type": "integer", "minimum": 0}}
        for name, text in _HEADERS.items()
    }
    for path, item in result["paths"].items():
        for method in _METHODS & set(item):
            _limit(item[method], path, method)
    return result


def _limit(operation: dict[str, Any], path: str, method: str) -> None:
    responses = operation["responses"]
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    refused = responses.setdefault("429", {"content": problem})
    refused["description"] = _words(operation, path, method)
    for status, response in responses.items():
        names = [name for name in _HEADERS if name != "Retry-After" or status == "429"]
        headers = {name: {"$ref": _REF + name} for name in names}
        response["headers"] = {**response.get("headers", {}), **headers}


def _words(operation: dict[str, Any], path: str, method: str) -> str:
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    scope = scope_of(path, method, keyed="Idempotency-Key" in names)
    numbers = {kind: limit_of(scope, kind) for kind in ("user", "address")} if scope else {}
    limits = [f"{number} a minute by {kind}" for kind, number in numbers.items() if number]
    return f"Too many requests: {', '.join(limits)}." if limits else "Too many requests."
