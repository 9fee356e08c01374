"""Controls: each fault that the made-up calls look for, made on purpose, is found."""

from collections.abc import Callable
from typing import Any

import pytest
from schemathesis.core.failures import FailureGroup, ServerError
from schemathesis.openapi.checks import (
    JsonSchemaError,
    MissingHeaders,
    UndefinedContentType,
    UndefinedStatusCode,
)

from shop.catalogue import selectors
from shop.catalogue.serializers import ProductDetailOut
from tests.factories.shop import ProductFactory
from tests.fuzz.calls import answer, document, judge, operations

PATH = "/api/v1/products/{slug}/"
pytestmark = pytest.mark.django_db
Change = Callable[[dict[str, Any]], Any]


def ask(slug: str, change: Change = lambda responses: None) -> None:
    """Ask for a product; judge the answer by a document whose responses were changed."""
    changed = document()
    change(changed["paths"][PATH]["get"]["responses"])
    (found,) = (each for each in operations(changed) if each.label == f"GET {PATH}")
    case = found.Case(path_parameters={"slug": slug})
    judge(case, answer(case, None))


def found_by(slug: str, change: Change = lambda responses: None) -> set[type]:
    with pytest.raises(FailureGroup) as caught:
        ask(slug, change)
    return {type(failure) for failure in caught.value.exceptions}


def test_an_answer_as_documented_passes() -> None:
    ask(ProductFactory().slug)
    ask("no-such")


def test_a_status_that_the_document_does_not_have_is_found() -> None:
    assert UndefinedStatusCode in found_by("no-such", lambda told: told.pop("404"))


def test_a_code_that_the_document_does_not_have_is_found() -> None:
    def other(told: Any) -> None:
        problem = told["404"]["content"]["application/problem+json"]["schema"]
        problem["allOf"][1]["properties"]["code"]["enum"] = ["gone"]

    assert JsonSchemaError in found_by("no-such", other)


def test_a_view_that_raises_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(slug: str) -> None:
        raise RuntimeError(slug)

    monkeypatch.setattr(selectors, "product_get", broken)
    assert ServerError in found_by("no-such")


def test_a_body_that_breaks_its_schema_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProductDetailOut, "to_representation", lambda *_: {"slug": 7})
    assert JsonSchemaError in found_by(ProductFactory().slug)


def test_a_content_type_that_the_document_does_not_have_is_found() -> None:
    def as_xml(told: Any) -> None:
        told["200"]["content"] = {"application/xml": {"schema": {"type": "string"}}}

    assert UndefinedContentType in found_by(ProductFactory().slug, as_xml)


def test_a_header_that_the_answer_lacks_is_found() -> None:
    def with_header(told: Any) -> None:
        wanted = {"X-Absent": {"required": True, "schema": {"type": "string"}}}
        told["200"]["headers"] = wanted

    assert MissingHeaders in found_by(ProductFactory().slug, with_header)
