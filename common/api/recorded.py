"""Answers of a running shop, as the Postman collection has recorded them, to show as examples."""

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """`path` has a value or a `{{variable}}` where the document's paths have a parameter."""

    method: str
    path: str
    status: str
    body: Any

    def is_at(self, method: str, path: str) -> bool:
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
        return self.method == method.upper() and re.fullmatch(pattern, self.path) is not None


@functools.cache
def answers_of(collection: Path) -> tuple[Answer, ...]:
    """Those with a body, in the collection's order; none where there is no such file."""
    if not collection.is_file():
        return ()
    return tuple(_answers(json.loads(collection.read_text())["item"]))


def _answers(items: list[dict[str, Any]]) -> Iterator[Answer]:
    for item in items:
        yield from _answers(item.get("item", []))
        for response in item.get("response", []):
            if response["body"]:
                yield _answer(item["request"], response)


def _answer(request: dict[str, Any], response: dict[str, Any]) -> Answer:
    path = request["url"]["raw"].removeprefix("{{baseUrl}}").partition("?")[0]
    return Answer(request["method"], path, str(response["code"]), _body(response["body"]))


def _body(text: str) -> Any:
    """JSON, or the text of a stream."""
    try:
        return json.loads(text)
    except ValueError:
        return text
