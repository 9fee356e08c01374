"""Products for staff: nobody is 401, a customer is 403, staff may."""

import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from rest_framework.test import APIClient

from shop.catalogue import images
from shop.catalogue.models import Product
from tests.factories.shop import CategoryFactory, ProductFactory
from tests.factories.users import StaffFactory, SuperuserFactory, UserFactory, client_for

pytestmark = pytest.mark.django_db

PRODUCTS = "/api/v1/admin/products/"
BODY = {"name": "Green Desk", "sku": "GD-1", "description": "A desk.", "price": "50.00"}


@pytest.fixture
def staff() -> APIClient:
    return client_for(StaffFactory())


def post(client: APIClient, key: str | None = None, **changes: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(PRODUCTS, {**BODY, **changes}, format="json", headers=headers)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", ""),
        ("post", ""),
        ("get", "oak/"),
        ("put", "oak/"),
        ("patch", "oak/"),
        ("delete", "oak/"),
        ("get", "oak/price-history/"),
        ("post", "oak/image/"),
    ],
)
def test_nobody_is_401_and_a_customer_is_403(method: str, path: str) -> None:
    ProductFactory(slug="oak")
    for client, status in ((APIClient(), 401), (client_for(UserFactory()), 403)):
        assert getattr(client, method)(PRODUCTS + path).status_code == status


def test_a_new_product_is_on_sale_with_no_stock(staff: APIClient) -> None:
    CategoryFactory(slug="wood")
    answer = post(staff, category="wood", discount_percent=10)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["slug"], made["category"], made["available"]) == ("green-desk", "wood", 0)
    assert (made["price"], made["public_price"]) == ("50.00", "45.00")
    shown = APIClient().get("/api/v1/products/green-desk/").json()
    assert (shown["id"], shown["price"]) == (made["id"], "45.00")


def test_the_same_key_gives_the_same_product_again(staff: APIClient) -> None:
    first, again = post(staff, key="k-1"), post(staff, key="k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    other = post(staff, key="k-1", name="Red Desk")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"sku": "TAKEN"}, "sku", "sku_taken"),
        ({"slug": "taken"}, "slug", "slug_taken"),
        ({"slug": "Not A Slug"}, "slug", "invalid"),
        ({"price": "0"}, "price", "not_positive"),
        ({"price": "NaN"}, "price", "invalid"),
        ({"price": "1.005"}, "price", "invalid"),
        ({"price": True}, "price", "invalid"),
        ({"discount_percent": 100}, "discount_percent", "max_value"),
        ({"discount_percent": "5"}, "discount_percent", "invalid"),
        ({"discount_members_only": 1}, "discount_members_only", "invalid"),
        ({"category": "nowhere"}, "category", "unknown_category"),
        ({"name": 5}, "name", "invalid"),
        ({"colour": "red"}, "colour", "unknown_field"),
        (
            {
                "discount_starts_at": "2026-01-02T00:00:00Z",
                "discount_ends_at": "2026-01-02T00:00:00Z",
            },
            "discount_ends_at",
            "window_reversed",
        ),
    ],
)
def test_a_wrong_field_is_a_400_that_names_it(
    staff: APIClient, changes: dict[str, Any], field: str, code: str
) -> None:
    ProductFactory(slug="taken")
    answer = post(staff, **changes)
    assert answer.status_code == 400, answer.content
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [(field, code)]


def test_patch_changes_what_it_names_and_put_resets_what_it_leaves_out(staff: APIClient) -> None:
    post(staff, discount_percent=10, category=CategoryFactory(slug="wood").slug)
    url = f"{PRODUCTS}green-desk/"
    patched = staff.patch(url, {"price": "60.00"}, format="json").json()
    assert (patched["price"], patched["discount_percent"]) == ("60.00", 10)
    put = staff.put(url, BODY, format="json").json()
    assert (put["price"], put["discount_percent"], put["category"]) == ("50.00", 0, None)
    assert put["slug"] == "green-desk"


def test_the_price_history_tells_who_made_each_change_newest_first(staff: APIClient) -> None:
    post(staff)
    staff.patch(f"{PRODUCTS}green-desk/", {"price": "60.00"}, format="json")
    staff.patch(f"{PRODUCTS}green-desk/", {"description": "The same."}, format="json")
    page = staff.get(f"{PRODUCTS}green-desk/price-history/", {"page_size": "1"}).json()
    assert [row["price"] for row in page["results"]] == ["60.00"]
    older = staff.get(page["next"]).json()["results"]
    assert [row["price"] for row in older] == ["50.00"]
    assert older[0]["actor"].startswith("staff")


def test_an_archived_product_stays_for_staff_and_goes_for_the_public(staff: APIClient) -> None:
    ProductFactory(slug="oak", category=CategoryFactory(slug="wood"))
    url = f"{PRODUCTS}oak/"
    assert [staff.delete(url).status_code for _ in range(2)] == [204, 204]
    assert staff.get(url).json()["archived_at"]
    assert APIClient().get("/api/v1/products/oak/").status_code == 404

    def count(**query: str) -> int:
        return staff.get(PRODUCTS, {"category": "wood", **query}).json()["count"]

    assert [count(), count(archived="true"), count(archived="false")] == [1, 1, 0]


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_an_unknown_product_is_404(staff: APIClient, method: str) -> None:
    assert getattr(staff, method)(f"{PRODUCTS}nothing/").status_code == 404
    assert staff.get(f"{PRODUCTS}nothing/price-history/").status_code == 404


def upload(client: APIClient, content: bytes, name: str = "a.png") -> Any:
    file = SimpleUploadedFile(name, content, "image/png")
    return client.post(f"{PRODUCTS}oak/image/", {"image": file}, format="multipart")


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (20, 20), "blue").save(out, "PNG")
    return out.getvalue()


def test_an_uploaded_picture_has_an_absolute_url_and_a_name_of_ours(staff: APIClient) -> None:
    ProductFactory(slug="oak")
    answer = upload(staff, png(), "../../evil.php")
    assert answer.status_code == 200, answer.content
    image = answer.json()["image"]
    assert image.startswith("http://testserver/media/catalogue/")
    assert image.endswith(".webp")
    assert "evil" not in image


def test_an_svg_is_refused_and_a_picture_over_5_mib_is_413(staff: APIClient) -> None:
    ProductFactory(slug="oak")
    svg = upload(staff, b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "a.svg")
    assert (svg.status_code, svg.json()["errors"][0]["field"]) == (400, "image")
    assert upload(staff, png() + bytes(images.MAX_BYTES)).status_code == 413


def admin_client() -> Any:
    client = APIClient()
    client.force_login(SuperuserFactory())
    return client


def test_django_admin_writes_through_the_services() -> None:
    client = admin_client()
    form = {
        "name": "Desk", "sku": "D-1", "slug": "desk", "description": "", "price": "12.50",
        "discount_percent": "20", "price_changes-TOTAL_FORMS": "0",
        "price_changes-INITIAL_FORMS": "0",
    }  # fmt: skip
    assert client.post("/admin/shop/product/add/", form).status_code == 302
    product = Product.objects.get(slug="desk")
    assert (product.list_price, product.stock.on_hand) == (1250, 0)
    change = f"/admin/shop/product/{product.pk}/change/"
    assert client.get(change).status_code == 200
    assert client.post(change, {**form, "price": "15.00"}).status_code == 302
    prices = list(product.price_changes.order_by("id").values_list("price", flat=True))
    assert prices == [1000, 1200]


def test_django_admin_archives_and_never_deletes() -> None:
    client, product = admin_client(), ProductFactory()
    chosen = {"action": "archive", "_selected_action": [product.pk]}
    assert client.post("/admin/shop/product/", chosen).status_code == 302
    product.refresh_from_db()
    assert product.archived_at
    assert client.post(f"/admin/shop/product/{product.pk}/delete/").status_code == 403
