"""Stripe's form encoding: `a[b][0]=x` to `{"a": {"b": ["x"]}}`.

Source: https://docs.stripe.com/api (request bodies are form-encoded, with Rails' brackets).
"""

import re
from typing import Any
from urllib.parse import parse_qsl

from payments.sandbox.stripe.errors import JSON, invalid

MAX_FIELDS = 1000
MAX_DEPTH = 8
_PART = re.compile(r"\[([^\[\]]*)\]")


def parse_form(encoded: str) -> JSON:
    """Nested parameters of a body or a query string.

    Raises StripeError 400 for more than 1,000 fields, broken brackets or a name that is a
    value in one place and a hash in another.
    """
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise invalid("Invalid request: too many parameters", stored=False) from error
    tree: JSON = {}
    for name, value in pairs:
        _insert(tree, _split(name), value)
    return {name: _lists(value) for name, value in tree.items()}


def _split(name: str) -> list[str]:
    head, bracket, rest = name.partition("[")
    parts = [head, *_PART.findall(bracket + rest)]
    if len(parts) > MAX_DEPTH or "".join(f"[{part}]" for part in parts[1:]) != bracket + rest:
        raise invalid(f"Invalid parameter name: {name[:80]}", stored=False)
    return parts


def _insert(tree: JSON, parts: list[str], value: str) -> None:
    for part in parts[:-1]:
        tree = tree.setdefault(part or str(len(tree)), {})
        if not isinstance(tree, dict):
            raise invalid(f"Invalid hash: {parts[0]}", param=parts[0], stored=False)
    last = parts[-1] or str(len(tree))
    if isinstance(tree.get(last), dict):
        raise invalid(f"Invalid hash: {parts[0]}", param=parts[0], stored=False)
    tree[last] = value


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    items = {name: _lists(item) for name, item in value.items()}
    if items and all(name.isascii() and name.isdigit() for name in items):
        return [items[name] for name in sorted(items, key=int)]
    return items
