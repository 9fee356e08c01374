"""Fail where the Postman collection and the API schema part.

    python .ci/postman_check.py SCHEMA.json

Every operation has a request, and every request an operation; each request has a test of its own
and an example answer, with a status that the schema has and that its tests expect.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

COLLECTION = Path(__file__).resolve().parent.parent / "postman" / "souk.postman_collection.json"
METHODS = {"get", "post", "put", "patch", "delete"}

JSON = dict[str, Any]


class Operation(NamedTuple):
    """An operation of the schema, with the statuses it may answer."""

    method: str
    path: str
    statuses: frozenset[str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Request(NamedTuple):
    """A request of the collection, with its tests' text and its examples' statuses."""

    name: str
    method: str
    path: str
    tests: str
    examples: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} ({self.method} {self.path})"


def operations(schema: JSON) -> list[Operation]:
    return [
        Operation(method.upper(), path, frozenset(operation["responses"]))
        for path, item in schema["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def requests(items: list[JSON]) -> Iterator[Request]:
    for item in items:
        if "item" in item:
            yield from requests(item["item"])
        else:
            yield _request(item)


def _request(item: JSON) -> Request:
    raw = item["request"]["url"]["raw"].removeprefix("{{baseUrl}}")
    scripts = [e["script"]["exec"] for e in item.get("event", []) if e["listen"] == "test"]
    tests = "\n".join(line for script in scripts for line in script)
    examples = tuple(example["code"] for example in item.get("response", []))
    return Request(item["name"], item["request"]["method"], raw.partition("?")[0], tests, examples)


def fits(request: Request, operation: Operation) -> bool:
    """Whether a request's path is one of the operation's, whatever its ids are."""
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(operation.path))
    return request.method == operation.method and re.fullmatch(pattern, request.path) is not None


def problems(schema: JSON, collection: JSON) -> Iterator[str]:
    """One line for each way in which the two part."""
    known, asked = operations(schema), list(requests(collection["item"]))
    for operation in known:
        if not any(fits(request, operation) for request in asked):
            yield f"no request in the collection: {operation}"
    for request in asked:
        yield from _problems(request, known)


def _problems(request: Request, known: list[Operation]) -> Iterator[str]:
    if "pm.test(" not in request.tests:
        yield f"no test: {request}"
    if not request.examples:
        yield f"no example answer: {request}"
    if any(f"have.status({code})" not in request.tests for code in request.examples):
        yield f"an example that the tests do not expect: {request}"
    # Probes are no part of the schema.
    if request.path.startswith("/api/"):
        yield from _against(request, [o for o in known if fits(request, o)])


def _against(request: Request, fitting: list[Operation]) -> Iterator[str]:
    documented = {status for operation in fitting for status in operation.statuses}
    if not fitting:
        yield f"no such operation: {request}"
    elif not {str(code) for code in request.examples} <= documented:
        yield f"an example with a status that the schema does not have: {request}"


def main(schema: Path) -> int:
    loaded = json.loads(schema.read_text())
    found = list(problems(loaded, json.loads(COLLECTION.read_text())))
    for line in found:
        print(line)
    print(f"postman: {len(operations(loaded))} operations, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
