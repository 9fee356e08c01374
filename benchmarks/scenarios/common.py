"""Ways that several scenarios are measured beside."""

from benchmarks.load import Way, request

EMPTY = "empty view"
EMPTY_GET = "empty view, GET"


def posts(path: str, body: object, tokens: list[str]) -> list[list[str]]:
    """The same request by each of these customers."""
    return [[request("POST", path, body, token=token)] for token in tokens]


def gets(path: str, tokens: list[str], *headers: str) -> list[list[str]]:
    return [[request("GET", path, token=token, headers=headers)] for token in tokens]


def empty(tokens: list[str]) -> Way:
    """All of the middleware and the authentication, and nothing else: the reference."""
    return Way(name=EMPTY, calls=lambda _: posts("/benchmark/empty/", {}, tokens))


def empty_get(tokens: list[str]) -> Way:
    return Way(name=EMPTY_GET, calls=lambda _: gets("/benchmark/empty/", tokens))
