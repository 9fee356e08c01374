"""Fail where an operation of the schema has no request in the Postman collection, or the reverse.

Run as `python .ci/postman_check.py`.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COLLECTION = ROOT / "postman" / "souk.postman_collection.json"
METHODS = {"get", "post", "put", "patch", "delete"}

Operation = tuple[str, str]


def schema_operations() -> list[Operation]:
    command = [sys.executable, "manage.py", "spectacular", "--format", "openapi-json"]
    text = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = json.loads(text)["paths"]
    return [(m.upper(), path) for path, item in paths.items() for m in item if m in METHODS]


def collection_operations() -> list[Operation]:
    return list(_requests(json.loads(COLLECTION.read_text())["item"]))


def _requests(items: list[dict[str, Any]]) -> Iterator[Operation]:
    for item in items:
        if "item" in item:
            yield from _requests(item["item"])
        else:
            raw = item["request"]["url"]["raw"].removeprefix("{{baseUrl}}")
            yield item["request"]["method"], raw.partition("?")[0]


def fits(request: Operation, operation: Operation) -> bool:
    """Whether a request's path is one of the operation's, whatever its ids are."""
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(operation[1]))
    return request[0] == operation[0] and re.fullmatch(pattern, request[1]) is not None


def main() -> int:
    operations, requests = schema_operations(), collection_operations()
    missing = [o for o in operations if not any(fits(r, o) for r in requests)]
    # Probes are no part of the schema.
    ours = [r for r in requests if r[1].startswith("/api/")]
    stale = [r for r in ours if not any(fits(r, o) for o in operations)]
    for method, path in missing:
        print(f"no request in the collection: {method} {path}")
    for method, path in stale:
        print(f"no such operation: {method} {path}")
    print(f"{len(operations) - len(missing)} of {len(operations)} operations have a request")
    return 1 if missing or stale else 0


if __name__ == "__main__":
    sys.exit(main())
