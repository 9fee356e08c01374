"""What tests of bad input share: the writes of the OpenAPI document, their fields, a caller.

A valid body is `access_table`'s: a route that is missing there fails the tests that use this.
"""

import functools
import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer

from tests.api.access_table import TABLE, Operation, World

UNSAFE: Final = ("post", "put", "patch", "delete")
Path = tuple[str | int, ...]
Rows = dict[tuple[str, Any], dict[str, Any]]


@functools.cache
def document() -> dict[str, Any]:
    made = SchemaGenerator().get_schema(request=None, public=True)
    found: dict[str, Any] = json.loads(OpenApiJsonRenderer().render(made))
    return found


def operations(*methods: str) -> list[Operation]:
    found = document()["paths"].items()
    return [(method.upper(), path) for path, item in found for method in methods if method in item]


def described(operation: Operation) -> dict[str, Any]:
    method, path = operation
    found: dict[str, Any] = document()["paths"][path][method.lower()]
    return found


def name(operation: Operation) -> str:
    return " ".join(operation)


@dataclass(frozen=True)
class Field:
    """A place in a body, `lines[0].product` as refusals name it, and what the document says."""

    path: Path
    schema: dict[str, Any]

    @property
    def dotted(self) -> str:
        parts = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        return "".join(parts).removeprefix(".")

    @property
    def kinds(self) -> set[str]:
        kinds = self.schema.get("type", [])
        return {kinds} if isinstance(kinds, str) else set(kinds)


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema behind references and alternatives with null."""
    while True:
        choices = schema.get("oneOf") or schema.get("anyOf") or schema.get("allOf") or []
        wanted = [choice for choice in choices if choice.get("type") != "null"]
        if "$ref" in schema:
            schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        elif wanted:
            schema = wanted[0]
        else:
            return schema


def body_schema(operation: Operation) -> dict[str, Any] | None:
    content = described(operation).get("requestBody", {}).get("content", {})
    return resolve(next(iter(content.values()))["schema"]) if content else None


def fields(operation: Operation) -> list[Field]:
    """Every field of the body, those inside objects and lists as well."""
    schema = body_schema(operation)
    return list(_below((), schema)) if schema else []


def _below(path: Path, schema: dict[str, Any]) -> Iterator[Field]:
    inner = [(key, value) for key, value in schema.get("properties", {}).items()]
    if "items" in schema:
        inner = [(0, schema["items"])]
    for step, raw in inner:
        found = Field((*path, step), resolve(raw))
        yield found
        yield from _below(found.path, found.schema)


def strings(operation: Operation) -> list[Field]:
    return [
        f for f in fields(operation) if "string" in f.kinds and f.schema.get("format") != "binary"
    ]


def sample(schema: dict[str, Any]) -> Any:
    """A value that fits, its required fields only."""
    schema = resolve(schema)
    if "items" in schema:
        return [sample(schema["items"])]
    if "properties" in schema:
        wanted = schema.get("required", [])
        return {key: sample(schema["properties"][key]) for key in wanted}
    if "enum" in schema:
        return schema["enum"][0]
    return {"integer": max(1, schema.get("minimum", 1)), "boolean": False}.get(
        str(schema.get("type")), "goods"
    )


def put(operation: Operation, body: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """The body with `value` at `path`; what is missing on the way there is filled in."""
    by_path = {found.path: found.schema for found in fields(operation)}
    here: Any = body
    for depth, step in enumerate(path[:-1], start=1):
        if isinstance(here, dict) and step not in here:
            here[step] = sample(by_path[path[:depth]])
        here = here[step]
    here[path[-1]] = value
    return body


class Target:
    """One operation with somebody who may call it and an object that they may call it for."""

    def __init__(self, operation: Operation) -> None:
        self.operation, self.row, self.world = operation, TABLE[operation], World()
        self._start()

    def _start(self) -> None:
        who = self.row.who
        self.caller = {"staff": "staff", "anybody": "anonymous"}.get(who, "customer")
        self.client = self.world.client("anonymous" if "body" in who else self.caller)
        self.url = self.fresh_url()

    def fresh_url(self) -> str:
        return self.world.url(self.operation[1], self.row, self.caller, "own")

    def renew(self) -> None:
        """Another caller and another object, after a call that did something to them."""
        self.world = World(goods=self.world.goods)
        self._start()

    def body(self) -> dict[str, Any]:
        # A copy of what may be written into: some bodies of the table are one object each time.
        found = self.world.body(self.row, self.caller) or {}
        return found if self.row.form else deepcopy(found)

    def send(self, body: Any, **more: Any) -> Any:
        kind = "multipart" if self.row.form else "json"
        return self._call(body, format=kind, **more)

    def send_raw(self, body: bytes, kind: str = "application/json", **more: Any) -> Any:
        return self._call(body, content_type=kind, **more)

    def _call(self, body: Any, **more: Any) -> Any:
        return getattr(self.client, self.operation[0].lower())(
            more.pop("url", self.url), body, **more
        )


def stored() -> Rows:
    """Every row of every table, by table and key."""
    return {
        (model._meta.label, row["pk"]): row
        for model in apps.get_models()
        for row in model._default_manager.values(
            "pk", *(column.attname for column in model._meta.concrete_fields)
        )
    }


def refused(answer: Any) -> bool:
    """A 4xx that is a problem document."""
    kind = answer.headers.get("Content-Type")
    return 400 <= answer.status_code < 500 and kind == "application/problem+json"


def named(answer: Any) -> list[str]:
    return [error["field"] for error in answer.json()["errors"]]
