"""Exports over HTTP: asked for, watched, fetched; and products that come back in as a file."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from common.audit.models import AuditEntry
from payments.exports.models import Export
from shop.imports.models import ProductImport
from shop.models import Product
from tests.api.hostile import stored
from tests.factories.orders import own_rollbacks, post
from tests.factories.shop import ProductFactory

__all__ = ["own_rollbacks"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks")]

EXPORTS = "/api/v1/admin/exports/"
IMPORT = "/api/v1/admin/products/import/"
PERIOD = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}


def test_a_file_is_asked_for_made_and_fetched(
    staff_api: APIClient, drain: Callable[..., int]
) -> None:
    ProductFactory(sku="LAMP", name="=1+1")
    asked = post(staff_api, EXPORTS, {"kind": "products"})
    assert asked.status_code == 202
    made = asked.json()
    assert (made["status"], made["progress"], made["rows_total"]) == ("pending", 0, None)
    url = f"{EXPORTS}{made['id']}/"
    early = staff_api.get(f"{url}file/")
    assert (early.status_code, early.json()["code"]) == (409, "export_not_ready")
    drain()
    done = staff_api.get(url).json()
    assert (done["status"], done["progress"]) == ("done", 100)
    assert done["rows_done"] == Product.objects.count()
    answer = staff_api.get(f"{url}file/", headers={"Accept": "text/csv"})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="products-')
    assert answer["Cache-Control"] == "no-store"
    raw = b"".join(answer.streaming_content)
    assert len(raw) == int(answer["Content-Length"]) == done["size"]
    assert ",'=1+1," in raw.decode()
    acts = AuditEntry.objects.filter(target=f"export:{made['id']}").order_by("pk")
    assert list(acts.values_list("action", flat=True)) == ["export.create", "export.download"]
    assert all(act.actor_id for act in acts)


def test_an_expired_file_is_404_with_a_code_of_its_own(
    staff_api: APIClient, drain: Callable[..., int]
) -> None:
    made = post(staff_api, EXPORTS, {"kind": "products"}).json()
    drain()
    Export.objects.update(status="expired")
    answer = staff_api.get(f"{EXPORTS}{made['id']}/file/")
    assert (answer.status_code, answer.json()["code"]) == (404, "export_expired")


def test_the_list_is_newest_first_and_narrowed(staff_api: APIClient) -> None:
    for body in ({"kind": "products"}, {"kind": "orders", "filters": PERIOD}):
        assert post(staff_api, EXPORTS, body).status_code == 202
    found = staff_api.get(EXPORTS).json()["results"]
    assert [row["kind"] for row in found] == ["orders", "products"]
    assert found[0]["filters"] == PERIOD
    narrowed = staff_api.get(EXPORTS, {"kind": "orders", "status": "pending"}).json()["results"]
    assert [row["kind"] for row in narrowed] == ["orders"]
    assert staff_api.get(EXPORTS, {"kind": "gold"}).status_code == 400


def test_the_same_key_is_the_same_export(staff_api: APIClient) -> None:
    body = {"kind": "orders", "filters": PERIOD}
    first, again = (post(staff_api, EXPORTS, body, key="k-1") for _ in range(2))
    assert (first.json()["id"], again.status_code) == (again.json()["id"], 202)
    other = post(staff_api, EXPORTS, {"kind": "products"}, key="k-1")
    assert (other.status_code, Export.objects.count()) == (422, 1)


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "kind", "required"),
        ({"kind": "gold"}, "kind", "invalid_choice"),
        ({"kind": "orders"}, "filters.from", "period_missing"),
        (
            {"kind": "orders", "filters": {"from": PERIOD["to"], "to": PERIOD["from"]}},
            "filters.to",
            "period_reversed",
        ),
        (
            {"kind": "orders", "filters": {**PERIOD, "from": "1826-01-01T00:00:00Z"}},
            "filters.to",
            "period_too_long",
        ),
        ({"kind": "orders", "filters": {**PERIOD, "to": "soon"}}, "filters.to", "invalid"),
        ({"kind": "orders", "filters": {**PERIOD, "colour": 1}}, "filters.colour", "unknown_field"),
        ({"kind": "stock", "filters": PERIOD}, "filters.from", "not_for_this_kind"),
        (
            {"kind": "orders", "filters": {**PERIOD, "status": "lost"}},
            "filters.status",
            "unknown_status",
        ),
    ],
)
def test_a_wrong_filter_is_a_400_that_names_it(
    staff_api: APIClient, body: dict[str, Any], field: str, code: str
) -> None:
    answer = post(staff_api, EXPORTS, body)
    assert answer.status_code == 400, answer.content
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [(field, code)]


def send(
    client: APIClient, content: bytes, *, key: str | None = None, name: str = "a.csv", **body: Any
) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    file = SimpleUploadedFile(name, content, "text/csv")
    return client.post(IMPORT, {"file": file, **body}, format="multipart", headers=headers)


GOODS = b"sku,name,description,price\nDESK,Desk,Of oak.,5.00\n"


def test_a_trial_tells_what_the_import_then_does(staff_api: APIClient) -> None:
    tried = send(staff_api, GOODS, dry_run="true")
    assert (tried.status_code, tried.json()["dry_run"]) == (200, True)
    assert not Product.objects.filter(sku="DESK").exists()
    done = send(staff_api, GOODS)
    assert (done.status_code, done.json()["created"]) == (201, 1)
    assert tried.json()["items"] == done.json()["items"]
    assert staff_api.get("/api/v1/admin/products/desk/").json()["price"] == "5.00"


def test_a_key_is_bound_to_the_bytes_of_the_file(staff_api: APIClient) -> None:
    text = b"sku,name,description,price,stock_delta\nDESK,Desk,,5.00,7\n"
    first = send(staff_api, text, key="k-1")
    again = send(staff_api, text, key="k-1", name="another-name.csv")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    # The same name, the same length.
    other = send(staff_api, text.replace(b"7", b"8"), key="k-1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert send(staff_api, text, key="k-1", dry_run="true").status_code == 422
    assert Product.objects.get(sku="DESK").stock.on_hand == 7


def test_a_refusal_names_rows_and_the_key_is_free_again(staff_api: APIClient) -> None:
    wrong = send(staff_api, GOODS.replace(b"5.00", b"free"), key="k-1")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "import_refused")
    [item] = wrong.json()["errors"]
    assert (item["field"], item["row"], item["column"]) == ("rows[2].price", 2, "price")
    assert wrong.json()["total"] == 1
    right = send(staff_api, GOODS.replace(b"Desk", b"Free"), key="k-2")
    assert right.status_code == 201


HOSTILE = {
    "a hundred thousand rows": b"sku,price\n" + b"A,1\n" * 100_000,
    "no csv": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "latin-1": b"sku,name\nA,caf\xe9\n",
    "nul": b"sku,name\nA,b\x00\n",
    "empty": b"",
    "one long line": b"x" * 1_000_000,
    "many columns": b",".join(b"c%d" % n for n in range(50_000)) + b"\n1\n",
    "an open quote": b'sku,name\nA,"' + b"x\n" * 50_000,
    "wrong columns": b"id,titel\n1,2\n",
    "a formula for a name": b"=cmd|' /C calc'!A0\n1\n",
}


@pytest.mark.parametrize("label", HOSTILE)
def test_a_file_that_is_no_list_of_products_is_one_clear_refusal(
    staff_api: APIClient, label: str
) -> None:
    send(staff_api, b"", dry_run="true")
    before = stored()
    answer = send(staff_api, HOSTILE[label])
    assert (answer.status_code, answer.json()["code"]) == (400, "import_refused"), label
    assert len(answer.json()["errors"]) == 1
    assert len(answer.content) < 2000
    assert stored() == before


def test_a_file_over_20_megabytes_is_413(staff_api: APIClient) -> None:
    assert send(staff_api, b"x" * 20_000_001).status_code == 413
    assert send(staff_api, b"x" * (20 * 1024 * 1024)).status_code == 413


@pytest.mark.parametrize("body", [{}, {"file": "text"}, {"dry_run": "perhaps"}, {"colour": "red"}])
def test_what_is_no_file_is_a_400_that_names_it(staff_api: APIClient, body: Any) -> None:
    answer = staff_api.post(IMPORT, body, format="multipart")
    assert answer.status_code == 400
    assert answer.json()["errors"]
    assert not ProductImport.objects.exists()


def test_no_product_is_called_import(staff_api: APIClient) -> None:
    body = {"name": "Import", "sku": "IMP", "description": "", "price": "1.00"}
    url = "/api/v1/admin/products/"
    refused = post(staff_api, url, {**body, "slug": "import"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "slug")
    assert post(staff_api, url, body).json()["slug"] == "import-imp"
