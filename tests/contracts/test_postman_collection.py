"""The Postman collection has every operation of the API, and answers as the schema has them.

`make check` runs `.ci/postman_check.py`; here it is shown to fail.
"""

import copy
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ci"))

import postman_check  # noqa: E402  # found by the line above

JSON = dict[str, Any]


@pytest.fixture(scope="module")
def schema() -> JSON:
    made = SchemaGenerator().get_schema(request=None, public=True)
    return json.loads(json.dumps(made, default=str))


@pytest.fixture
def collection() -> JSON:
    return copy.deepcopy(json.loads(postman_check.COLLECTION.read_text()))


def folder(collection: JSON, name: str) -> list[JSON]:
    return next(item["item"] for item in collection["item"] if item["name"] == name)


def request(collection: JSON, name: str) -> JSON:
    return next(r for f in collection["item"] for r in f["item"] if r["name"] == name)


def without_request(collection: JSON) -> None:
    staff = folder(collection, "Staff")
    staff.remove(request(collection, "The audit log"))


def with_unknown_operation(collection: JSON) -> None:
    request(collection, "Deliver it")["request"]["url"]["raw"] = "{{baseUrl}}/api/v1/gone/"


def without_tests(collection: JSON) -> None:
    request(collection, "My payments")["event"] = []


def without_example(collection: JSON) -> None:
    request(collection, "Refresh")["response"] = []


def with_undocumented_status(collection: JSON) -> None:
    found = request(collection, "Refresh")
    found["response"][0]["code"] = 418
    found["event"][0]["script"]["exec"] = ["pm.test('418', () => pm.response.to.have.status(418))"]


def test_the_collection_and_the_schema_agree(schema: JSON, collection: JSON) -> None:
    assert len(postman_check.operations(schema)) > 40
    assert list(postman_check.problems(schema, collection)) == []


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (without_request, "no request in the collection: GET /api/v1/admin/audit-log/"),
        (with_unknown_operation, "no such operation: Deliver it"),
        (without_tests, "no test: My payments"),
        (without_example, "no example answer: Refresh"),
        (with_undocumented_status, "an example with a status that the schema does not have"),
    ],
)
def test_control_each_gap_is_named(
    schema: JSON, collection: JSON, spoil: Callable[[JSON], None], expected: str
) -> None:
    spoil(collection)
    found = list(postman_check.problems(schema, collection))
    assert [line for line in found if line.startswith(expected)], found


def test_control_the_command_fails_for_an_operation_without_a_request(
    schema: JSON, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = {"paths": {**schema["paths"], "/api/v1/new/": {"get": {"responses": {"200": {}}}}}}
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    assert postman_check.main(tmp_path / "schema.json") == 1
    assert "no request in the collection: GET /api/v1/new/" in capsys.readouterr().out


def examples(schema: JSON, collection: JSON) -> Iterator[tuple[str, JSON, Any]]:
    """Name, schema and body of each example that the schema describes."""
    known = postman_check.operations(schema)
    for item in (item for folder in collection["item"] for item in folder["item"]):
        asked = next(postman_check.requests([item]))
        fitting = [o for o in known if postman_check.fits(asked, o)]
        for example in item["response"] if fitting else []:
            operation = schema["paths"][fitting[0].path][asked.method.lower()]
            content = operation["responses"][str(example["code"])].get("content", {})
            for kind, described in content.items():
                # A stream of events is no JSON; tests/faults/test_stream.py reads one.
                if kind.endswith("json"):
                    yield item["name"], described["schema"], json.loads(example["body"])


def closed(components: JSON) -> JSON:
    """The schemas, with no field that they do not name: an example keeps none that was renamed.

    Problems stay open: each code may bring facts of its own (RFC 9457).
    """
    schemas = {
        name: {"additionalProperties": False, **found}
        if "properties" in found and "Problem" not in name
        else found
        for name, found in components["schemas"].items()
    }
    return {**components, "schemas": schemas}


def errors(schema: JSON, collection: JSON) -> list[str]:
    found = []
    components = closed(schema["components"])
    for name, described, body in examples(schema, collection):
        validator = Draft202012Validator({**described, "components": components})
        found += [f"{name}: {error.message}" for error in validator.iter_errors(body)]
    return found


def test_example_answers_are_of_the_shape_that_the_schema_has(
    schema: JSON, collection: JSON
) -> None:
    assert len(list(examples(schema, collection))) > 40
    assert errors(schema, collection) == []


@pytest.mark.parametrize("field", [{"status": "sold"}, {"renamed": 1}, {"total": 1.5}], ids=str)
def test_control_an_example_of_another_shape_is_named(
    schema: JSON, collection: JSON, field: JSON
) -> None:
    example = request(collection, "The order is paid")["response"][0]
    example["body"] = json.dumps({**json.loads(example["body"]), **field})
    assert [line for line in errors(schema, collection) if line.startswith("The order is paid")]
