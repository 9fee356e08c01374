"""Calls made up from the OpenAPI document, in three kinds, and how their answers are judged."""

import json
from collections.abc import Callable
from typing import Any, Final

import schemathesis
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from hypothesis import strategies as st
from rest_framework.test import DjangoTestAdapter, RequestsClient
from schemathesis import GenerationMode
from schemathesis.hooks import HookDispatcher, HookScope
from schemathesis.specs.openapi import checks

from tests.fuzz.seeded import STATES, Seeded

SERVER: Final = "http://testserver"
# Right: known keys and a known body, everything else by the document. Near: known keys, a body
# right in some fields. Wild: as made up, by whom it may be.
KINDS: Final = ("right", "near", "wild")
CALLERS: Final = ("anonymous", "customer", "staff", "inactive")
CHECKS: Final = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


def document() -> dict[str, Any]:
    made = SchemaGenerator().get_schema(None, public=True)
    found: dict[str, Any] = json.loads(OpenApiJsonRenderer().render(made))
    return found


def operations(of: dict[str, Any]) -> list[Any]:
    schema = schemathesis.openapi.from_dict(of)
    schema.config.generation.with_security_parameters = False
    return [found.ok() for found in schema.get_all_operations()]


def cases(operation: Any, shop: Seeded, kind: str) -> st.SearchStrategy[Any]:
    """Calls of a kind: right ones fit the document, the others may break it in some place."""
    modes = [GenerationMode.POSITIVE]
    if kind != "right":
        modes.append(GenerationMode.NEGATIVE)
    hooks = None if kind == "wild" else _hooks(shop, kind)
    made = (operation.as_strategy(generation_mode=mode, hooks=hooks) for mode in modes)
    return st.one_of(*made)


def callers(shop: Seeded, kind: str) -> st.SearchStrategy[str]:
    if kind == "right":
        return st.just(shop.caller)
    others = tuple(who for who in CALLERS if who != shop.caller)
    return st.sampled_from((shop.caller,) * 3 + others if kind == "near" else others)


def _hooks(shop: Seeded, kind: str) -> HookDispatcher:
    made = HookDispatcher(scope=HookScope.TEST)
    for hook in (_path_parameters, _query, _body):
        made.register_hook_with_name(_told(hook, shop, kind), f"flatmap{hook.__name__}")
    return made


def _told(hook: Callable[..., Any], shop: Seeded, kind: str) -> Callable[..., Any]:
    """The hook as schemathesis calls it: it counts the parameters."""
    return lambda context, made: st.just(made) if made is None else hook(shop, kind, made)


def _path_parameters(shop: Seeded, kind: str, made: Any) -> st.SearchStrategy[Any]:
    right = shop.row.order
    states = [right] if kind == "right" else [right, *STATES, "deposit"]
    return st.sampled_from(states).map(lambda state: {name: shop.key(name, state) for name in made})


def _query(shop: Seeded, kind: str, made: Any) -> st.SearchStrategy[Any]:
    known = shop.query()
    # A made-up cursor is a place in no list, and hides what the other parameters do.
    kept = {name: value for name, value in made.items() if name in known or name != "cursor"}
    return _overlaid(kept, {name: known[name] for name in kept.keys() & known.keys()}, kind)


def _body(shop: Seeded, kind: str, made: Any) -> st.SearchStrategy[Any]:
    if kind == "right":
        return st.builds(shop.body)
    return _overlaid(made, shop.body(), kind) if isinstance(made, dict) else st.just(made)


def _overlaid(made: dict[str, Any], known: dict[str, Any], kind: str) -> st.SearchStrategy[Any]:
    """What was made up with all of what is known in its place, or with some of it."""
    if kind == "right" or not known:
        return st.just({**made, **known})
    some = st.sets(st.sampled_from(sorted(known)))
    return some.map(lambda names: {**made, **{name: known[name] for name in names}})


class _Adapter(DjangoTestAdapter):
    def get_environ(self, request: Any) -> dict[str, Any]:
        environ = super().get_environ(request)
        # As every WSGI server gives it; DRF's own adapter fails on a path beyond Latin-1.
        return {**environ, "PATH_INFO": environ["PATH_INFO"].encode().decode("latin-1")}


def answer(case: Any, token: str | None) -> Any:
    client = RequestsClient()
    client.mount(SERVER, _Adapter())
    headers = {"Authorization": token} if token else {}
    return client.request(**case.as_transport_kwargs(SERVER, headers=headers))


def judge(case: Any, given: Any) -> None:
    """Raises a group of schemathesis' failures."""
    case.validate_response(given, checks=CHECKS)
