"""Calls made up from the OpenAPI document: no 5xx, and no answer that the document does not have.

FUZZ_CASES is how many in all, spread over the operations and both callers (`make fuzz`: 10,000).
Few are the same ones each time, so that `make test` does not fail by chance; many are new ones.
"""

import json
import os
from collections import Counter
from typing import Any

import pytest
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rest_framework.test import DjangoTestAdapter, RequestsClient
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from tests.api.access_table import World
from tests.factories.orders import own_rollbacks, settled
from tests.factories.shop import ProductFactory

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]

CASES = int(os.environ.get("FUZZ_CASES", "600"))
MANY = 5000
SERVER = "http://testserver"
CALLERS = ("customer", "staff")
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]

schema = schemathesis.openapi.from_dict(
    json.loads(OpenApiJsonRenderer().render(SchemaGenerator().get_schema(None, public=True)))
)
schema.config.generation.with_security_parameters = False
OPERATIONS = [found.ok() for found in schema.get_all_operations()]


class _Adapter(DjangoTestAdapter):
    def get_environ(self, request: Any) -> dict[str, Any]:
        environ = super().get_environ(request)
        # As every WSGI server gives it; DRF's own adapter fails on a path beyond Latin-1.
        return {**environ, "PATH_INFO": environ["PATH_INFO"].encode().decode("latin-1")}


def client() -> RequestsClient:
    made = RequestsClient()
    made.mount(SERVER, _Adapter())
    return made


def cases(operation: Any) -> st.SearchStrategy[Any]:
    """Calls that fit the document and calls that break it in one place or another."""
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    return st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))


def aim(case: Any, world: World, caller: str) -> None:
    """Put keys of things that exist where the case has made some up: most end as 404 otherwise."""
    if case.path_parameters:
        made = world.placed(world.user(caller), "open")
        goods = ProductFactory(stock=5)
        known = {"slug": goods.slug, "number": made.order.number, "uid": str(made.payment.uid)}
        case.path_parameters = {name: known[name] for name in case.path_parameters}
    if isinstance(case.body, dict):
        known = {"refresh": world.refresh_token, "token": world.refresh_token}
        for name in known.keys() & case.body.keys():
            case.body[name] = known[name](caller)
        lines = case.body.get("lines")
        for line in lines if isinstance(lines, list) else ():
            if isinstance(line, dict):
                line["product"] = "goods"


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda found: found.label)
def test_no_call_gets_an_answer_that_the_document_does_not_have(
    operation: Any, caller: str, record_property: Any
) -> None:
    world, statuses = World(), Counter[int]()

    @settings(
        max_examples=-(-CASES // (len(OPERATIONS) * len(CALLERS))),
        derandomize=CASES < MANY,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(operation), known=st.booleans())
    def call(case: Any, known: bool) -> None:
        if known:
            aim(case, world, caller)
        token = world.client(caller)._credentials["HTTP_AUTHORIZATION"]
        kwargs = case.as_transport_kwargs(SERVER, headers={"Authorization": token})
        answer = client().request(**kwargs)
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    call()
    record_property("statuses", dict(statuses))
