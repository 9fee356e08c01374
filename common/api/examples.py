"""Examples of answers, made from the document's own schemas so that none can be out of date."""

from typing import Any, Final

WORDS: Final[dict[str, Any]] = {
    "access": "eyJhbGciOiJIUzI1NiJ9.eyJ0eXBlIjoiYWNjZXNzIn0.c2lnbmF0dXJl",
    "refresh": "eyJhbGciOiJIUzI1NiJ9.eyJ0eXBlIjoicmVmcmVzaCJ9.c2lnbmF0dXJl",
    "about": "SK-7Q2M-4XKD",
    "action": "order.fulfil",
    "actor": "sam",
    "category": "lighting",
    "client_secret": "pi_3PqN_secret_8kLw",  # nosec B105  # an example
    "currency": "USD",
    "description": "Of brass, with a linen shade.",
    "destination": "original",
    "email": "sam@example.com",
    "failure": "",
    "image": "https://shop.example.com/media/products/lamp.webp",
    "month": "2026-10",
    "name": "Desk lamp",
    "next": None,
    "number": "SK-7Q2M-4XKD",
    "order": "SK-7Q2M-4XKD",
    "payment_intent": "pi_3PqN",
    "previous": None,
    "product": "desk-lamp",
    "publishable_key": "pk_test_51",
    "sku": "LAMP-01",
    "slug": "desk-lamp",
    "target": "order:SK-7Q2M-4XKD",
    "token": "USDC",  # nosec B105  # a token's name
    "username": "sam",
    "last_error": None,
}
_FORMATS: Final = {
    "uuid": "0197c1f4-8c1e-7d4a-b1f0-5a2f4c9d7e10",
    "date-time": "2026-10-05T14:03:11.482913Z",
    "email": "sam@example.com",
    "uri": "https://shop.example.com/",
}
_TYPES: Final = {"integer": 2, "boolean": False, "number": 1.5, "string": "text", "null": None}


def example_of(schema: dict[str, Any], schemas: dict[str, Any], name: str = "") -> Any:
    """A value that fits `schema`; `schemas` are the components it may refer to."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, name)
    if "properties" in schema:
        return {key: example_of(part, schemas, key) for key, part in schema["properties"].items()}
    if "items" in schema:
        return [example_of(schema["items"], schemas, name)]
    choices = schema.get("allOf") or schema.get("oneOf") or schema.get("anyOf")
    if choices and name not in WORDS:
        return example_of(choices[0], schemas, name)
    return _plain(schema, name)


def _plain(schema: dict[str, Any], name: str) -> Any:
    kinds = schema.get("type", "object" if "additionalProperties" in schema else "")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if "example" in schema or "examples" in schema:
        return schema.get("example") or schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if kind not in ("integer", "boolean", "object") and name in WORDS:
        return WORDS[name]
    return _FORMATS.get(schema.get("format", ""), _TYPES.get(kind, {}))
