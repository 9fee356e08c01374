"""Every operation of the OpenAPI document for every caller and object, as `access_table` says."""

import functools
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator
from rest_framework.permissions import AllowAny, IsAuthenticated

from common.api.permissions import IsStaff
from payments.checkout.api import FulfilOrder, OrderDetail
from payments.exchange.models import ExchangeOrder
from payments.intake import selectors as payments
from payments.intake.models import Payment
from shop.catalogue.api import StaffProducts
from tests.api.access_table import CALLERS, OBJECTS, TABLE, Operation, World
from tests.factories.orders import own_rollbacks, settled
from tests.unit.test_house import ROUTES

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]

METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}
SIGNED_IN = ("customer", "other customer", "staff", "superuser")
OWNED = [operation for operation, row in TABLE.items() if row.who == "owner"]
Cells = dict[tuple[str, str], int]


@functools.cache
def documented() -> frozenset[Operation]:
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return frozenset(
        (method.upper(), path) for path, item in paths.items() for method in METHODS & item.keys()
    )


def name(operation: Operation) -> str:
    return " ".join(operation)


def cells(operation: Operation) -> list[tuple[str, str]]:
    """Who asks for what; where the path names no object, each caller asks once."""
    which = OBJECTS if "{" in operation[1] else OBJECTS[:1]
    return [(caller, each) for caller in CALLERS for each in which]


def expected(operation: Operation) -> Cells:
    return {cell: TABLE[operation].expected(*cell) for cell in cells(operation)}


def found(operation: Operation) -> Cells:
    world, row = World(), TABLE[operation]
    return {cell: world.call(operation, row, *cell).status_code for cell in cells(operation)}


def wrong(operation: Operation) -> Cells:
    """The cells that answer otherwise than declared."""
    declared = expected(operation)
    return {cell: status for cell, status in found(operation).items() if status != declared[cell]}


def test_the_table_has_every_operation_of_the_document_and_no_other() -> None:
    missing, gone = documented() - TABLE.keys(), TABLE.keys() - documented()
    assert missing == set(), "in the document, but not in tests/api/access_table.py"
    assert gone == set(), "in tests/api/access_table.py, but not in the document"
    assert len(TABLE) == len(documented())


def test_the_document_has_every_operation_of_the_api() -> None:
    assigned = ("api/stats", "api/deviation")
    api = [route for route in ROUTES if route.route.startswith(("api/v1/", *assigned))]
    served = [method for route in api for method in route.methods if method != "head"]
    assert len(served) == len(documented())


@pytest.mark.parametrize("operation", TABLE, ids=name)
def test_everybody_gets_what_the_table_says(operation: Operation) -> None:
    assert found(operation) == expected(operation)


@pytest.mark.parametrize("operation", OWNED, ids=name)
def test_a_foreign_object_is_told_like_a_missing_one(operation: Operation) -> None:
    world, row = World(), TABLE[operation]
    for caller in SIGNED_IN:
        answers = [world.call(operation, row, caller, which) for which in ("foreign", "missing")]
        foreign, missing = (answer.json() for answer in answers)
        assert foreign.pop("instance") != missing.pop("instance")
        assert foreign == missing
        assert answers[0].headers.keys() == answers[1].headers.keys()


@pytest.mark.parametrize("path", ["orders/", "payments/", "purchases/", "purchases/items/"])
def test_lists_of_the_caller_hold_nothing_of_others(path: str) -> None:
    world = World()
    made = {caller: world.placed(world.user(caller), "paid") for caller in SIGNED_IN}
    for caller in SIGNED_IN:
        text = world.client(caller).get(f"/api/v1/{path}").content.decode()
        assert text.count('"goods"') == (0 if path == "payments/" else 1)
        shown = {other for other in SIGNED_IN if made[other].order.number in text}
        assert shown == (set() if path == "purchases/items/" else {caller})


def things() -> int:
    return Payment.objects.count() + ExchangeOrder.objects.count()


def test_a_refused_call_changes_nothing() -> None:
    """The refusals of foreign payments, each followed by a look at the payment."""
    world = World()
    for operation in OWNED:
        for caller in ("other customer", "staff", "superuser"):
            before = things()
            world.call(operation, TABLE[operation], caller, "foreign")
            assert things() == before + 1, "only the one that the test placed"
    assert {*Payment.objects.values_list("status", flat=True)} == {"awaiting"}
    assert {*ExchangeOrder.objects.values_list("status", flat=True)} == {"pooled"}


# Controls: with a guard taken out, the same comparison fails.


def test_control_staff_routes_without_their_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    assert StaffProducts.permission_classes == [IsStaff]
    monkeypatch.setattr(StaffProducts, "permission_classes", [IsAuthenticated])
    customers = {("customer", "own"): 201, ("other customer", "own"): 201}
    assert wrong(("POST", "/api/v1/admin/products/")) == customers


def test_control_a_staff_route_open_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FulfilOrder, "permission_classes", [AllowAny])
    opened = wrong(("POST", "/api/v1/admin/orders/{number}/fulfil/"))
    assert opened[("customer", "foreign")] == 200
    assert ("anonymous", "own") in opened


def test_control_a_route_without_the_default_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OrderDetail, "permission_classes", [])
    opened = wrong(("GET", "/api/v1/orders/{number}/"))
    assert {caller for caller, _ in opened} == {"anonymous"}


def test_control_a_selector_that_forgets_whose(monkeypatch: pytest.MonkeyPatch) -> None:
    def everybodys(_: int) -> Any:
        return Payment.objects.select_related("order")

    monkeypatch.setattr(payments, "payments_of", everybodys)
    opened = wrong(("GET", "/api/v1/payments/{uid}/"))
    assert opened == {(caller, "foreign"): 200 for caller in SIGNED_IN}
