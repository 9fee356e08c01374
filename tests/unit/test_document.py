"""The OpenAPI document: every operation says what it takes, answers, refuses and is limited to."""

import json
from typing import Any, Final

import pytest
from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.renderers import OpenApiJsonRenderer
from jsonschema import Draft202012Validator
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

# Loads every view's bodies, which the tests below are made from.
import config.urls  # noqa: F401

# Has a refusal of its own, whichever test has loaded it before.
import shop.flash_sales.live.asgi  # noqa: F401
from common import errors
from common.api.errors import ServerError
from common.api.permissions import IsStaff
from common.api.serializers import StrictSerializer
from common.api.views import ApiView

PROBLEM: Final = "application/problem+json"
METHODS: Final = {"get", "post", "put", "patch", "delete"}
JSON = dict[str, Any]
# Refusals that no operation of the document answers with, and why.
ELSEWHERE: Final = {
    ServerError.code: "a bug, never announced",
    "hold_expired": "of a hold that a payment is made with by the shop itself",
    "reference_reused": "a mistake in the shop's own code",
    "method_not_allowed": "of the process that serves streams, beside the API",
    "product_changed": "of the staff's pages, where two people change one product",
    "import_carried_out": "of the staff's pages, where a file that was checked is carried out",
    "currency_exists": "of the admin, where coins of the exchange are offered",
    "conflict": "a base class",
    "unprocessable": "a base class",
    "payment_refused": "a base class",
    "error": "the base class",
}


def made(**more: Any) -> JSON:
    found: JSON = json.loads(
        OpenApiJsonRenderer().render(SchemaGenerator(**more).get_schema(None, public=True))
    )
    return found


@pytest.fixture(scope="module")
def document() -> JSON:
    return made()


def operations(document: JSON) -> dict[str, JSON]:
    return {
        f"{method.upper()} {where}": item[method]
        for where, item in document["paths"].items()
        for method in METHODS & item.keys()
    }


def problems(operation: JSON) -> dict[str, JSON]:
    responses = operation["responses"].items()
    return {status: r["content"][PROBLEM] for status, r in responses if status >= "400"}


def codes(problem: JSON) -> set[str]:
    return set(problem["schema"]["allOf"][1]["properties"]["code"]["enum"])


def shown(operation: JSON) -> list[JSON]:
    """The contents of the body and of the good answers."""
    good = [r for status, r in operation["responses"].items() if status < "300"]
    parts = [operation.get("requestBody", {}), *good]
    return [content for part in parts for content in part.get("content", {}).values()]


def lacks(operation: JSON) -> list[str]:
    """What the operation leaves out."""
    found = [] if operation.get("summary") else ["summary"]
    limit = operation.get("x-rate-limit", {})
    signed_in = {"bearerAuth": []} in operation.get("security", ())
    kinds = ("user", "address") if signed_in else ("address",)
    found += [f"limit by {kind}" for kind in kinds if not limit.get(kind)]
    found += ["example" for content in shown(operation) if "example" not in content]
    wanted = {"406", "413", "429", "503"} | (
        {"400", "415"} if "requestBody" in operation else set()
    )
    found += sorted(wanted - operation["responses"].keys())
    for status, problem in problems(operation).items():
        enumerated = problem["schema"].get("allOf") and codes(problem)
        if not enumerated or enumerated != problem.get("examples", {}).keys():
            found.append(f"codes of {status}")
    return found


def test_every_operation_says_everything(settings: Any) -> None:
    settings.RATE_LIMIT_FACTOR = 1
    found = {name: lacks(operation) for name, operation in operations(made()).items()}
    assert len(found) > 50
    assert {name: missing for name, missing in found.items() if missing} == {}


def test_every_group_of_operations_says_what_it_is(document: JSON) -> None:
    used = {tag for operation in operations(document).values() for tag in operation["tags"]}
    assert {tag["name"] for tag in document["tags"] if tag["description"]} == used


def test_every_example_fits_its_schema(document: JSON) -> None:
    checked = 0
    for name, operation in operations(document).items():
        for content in shown(operation):
            schema = {**content["schema"], "components": document["components"]}
            wrong = [
                e.message for e in Draft202012Validator(schema).iter_errors(content["example"])
            ]
            assert wrong == [], name
            checked += 1
    assert checked > 60


def test_every_example_of_a_refusal_has_its_code_and_status(document: JSON) -> None:
    examples = document["components"]["examples"]
    for operation in operations(document).values():
        for status, problem in problems(operation).items():
            schema = {**problem["schema"], "components": document["components"]}
            for code, reference in problem["examples"].items():
                value = examples[reference["$ref"].rpartition("/")[2]]["value"]
                assert (value["code"], str(value["status"])) == (code, status)
                Draft202012Validator(schema).validate(value)


def bodies(kind: type[StrictSerializer] = StrictSerializer) -> list[type[StrictSerializer]]:
    return [kind, *(found for each in kind.__subclasses__() for found in bodies(each))]


@pytest.mark.parametrize("kind", [k for k in bodies() if k.example], ids=lambda k: k.__name__)
def test_the_example_of_a_body_is_taken(kind: type[StrictSerializer]) -> None:
    fields = kind().fields
    if any("File" in type(field).__name__ for field in fields.values()):
        assert kind.example.keys() == fields.keys()
    else:
        bound = kind(data=kind.example)
        assert bound.is_valid(), bound.errors


def test_bodies_take_no_other_field(document: JSON) -> None:
    schemas = document["components"]["schemas"]
    requests = {name: found for name, found in schemas.items() if name.endswith("Request")}
    assert len(requests) > 15
    assert [
        n for n, found in requests.items() if found.get("additionalProperties") is not False
    ] == []
    assert schemas["OrderInRequest"]["properties"]["lines"].items() >= {
        ("minItems", 1),
        ("maxItems", 100),
    }


def test_a_key_has_its_bounds_and_its_refusals(document: JSON) -> None:
    for name, operation in operations(document).items():
        keys = [p for p in operation.get("parameters", ()) if p["name"] == "Idempotency-Key"]
        if keys:
            schema = {"minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]+$"}
            assert keys[0]["schema"] == {"type": "string", **schema}
            refused = {s: codes(p) for s, p in problems(operation).items()}
            assert "invalid_idempotency_key" in refused["400"], name
            assert "idempotency_key_in_use" in refused["409"], name
            assert "idempotency_key_reused" in refused["422"], name
            assert "Idempotent-Replayed" in operation["responses"]["409"]["headers"]


def refusals(kind: type[errors.SoukError]) -> list[type[errors.SoukError]]:
    return [kind, *(found for each in kind.__subclasses__() for found in refusals(each))]


def test_every_refusal_of_the_code_is_in_the_document(document: JSON) -> None:
    told = {
        c for o in operations(document).values() for p in problems(o).values() for c in codes(p)
    }
    ours = [e for e in refusals(errors.SoukError) if not e.__module__.startswith("tests.")]
    known = {kind.code for kind in ours if "<locals>" not in kind.__qualname__}
    assert len(known) > 40
    assert known - told == ELSEWHERE.keys()


class Bare(ApiView):
    """A route whose author has forgotten to describe it."""

    permission_classes = [IsStaff]

    def post(self, request: Request, slug: str) -> Response:
        raise NotImplementedError


def bare(schema: type[AutoSchema] | None = None) -> JSON:
    view = Bare.as_view(**({"schema": schema()} if schema else {}))
    document = made(patterns=[path("bare/<slug:slug>/", view)])
    found: JSON = document["paths"]["/bare/{slug}/"]["post"]
    return found


def test_a_new_route_escapes_none_of_it(settings: Any) -> None:
    settings.RATE_LIMIT_FACTOR = 1
    operation = bare()
    # What nobody but its author can know.
    assert lacks(operation) == ["summary"]
    expected = {"400", "401", "403", "404", "406", "413", "415", "429", "503"}
    assert problems(operation).keys() == expected
    assert "malformed" in codes(problems(operation)["400"])


def test_a_form_is_refused_with_a_code_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bare, "parser_classes", [MultiPartParser])
    assert {"parse_error"} <= codes(problems(bare())["400"])


def test_control_the_librarys_own_schema_leaves_all_of_it_out() -> None:
    operation = bare(AutoSchema)
    assert set(operation["responses"]) == {"200"}
    assert "x-rate-limit" not in operation
