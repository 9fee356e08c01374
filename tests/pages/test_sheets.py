"""Exports and the import of products, as staff use them in a browser without scripting."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from payments.exports.models import Export
from shop.imports.models import ProductImport
from shop.models import Product, Stock
from tests.factories.admin import root, text_of
from tests.factories.exports import exported
from tests.factories.orders import own_rollbacks
from tests.factories.shop import ProductFactory
from tests.factories.users import StaffFactory, UserFactory
from tests.pages.reading import untranslated

__all__ = ["own_rollbacks", "root"]
pytestmark = pytest.mark.django_db

EXPORTS, IMPORT = "/admin/exports/", "/admin/import/"
PERIOD = {"since": "2026-10-01", "until": "2026-10-31"}


def ask(client: Client, **data: Any) -> Any:
    return client.post(EXPORTS, {"once": "k" * 32, **data}, follow=True)


def send(client: Client, text: str) -> Any:
    file = SimpleUploadedFile("goods.csv", text.encode(), "text/csv")
    return client.post(IMPORT, {"file": file}, follow=True)


def test_a_file_is_asked_for_watched_and_fetched(root: Client, drain: Callable[..., int]) -> None:
    ProductFactory(sku="LAMP")
    page = ask(root, kind="products")
    url = page.redirect_chain[-1][0]
    assert "waiting" in text_of(page)
    assert root.get(f"{url}file/").status_code == 302
    drain()
    assert "Download" in text_of(root.get(url))
    assert b"LAMP," in b"".join(root.get(f"{url}file/").streaming_content)
    assert "Download" in text_of(root.get(EXPORTS))


def test_days_are_whole_and_the_last_one_is_included(root: Client) -> None:
    ask(root, kind="orders", status="paid", **PERIOD)
    assert Export.objects.get().filters == {
        "from": "2026-10-01T00:00:00+00:00",
        "to": "2026-11-01T00:00:00+00:00",
        "status": "paid",
    }


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"kind": "orders"}, "say from when to when"),
        (
            {"kind": "orders", "since": "2026-10-02", "until": "2026-10-01"},
            "must end after it begins",
        ),
        ({"kind": "orders", "since": "1826-01-01", "until": "2026-01-01"}, "up to ten years"),
        ({"kind": "orders", "since": "0001-01-01", "until": "9999-12-31"}, "up to ten years"),
        ({"kind": "orders", "since": "soon", "until": "later"}, "Enter a valid date"),
        ({"kind": "products", **PERIOD}, "is not one of this kind"),
        ({"kind": "payments", **PERIOD, "status": "paid"}, "has such a status"),
        ({"kind": "orders", **PERIOD, "status": "lost"}, "Select a valid choice"),
        ({"kind": "gold"}, "Select a valid choice"),
    ],
)
def test_a_wrong_period_is_told_beside_its_field_and_nothing_is_lost(
    root: Client, data: Any, words: str
) -> None:
    page = text_of(ask(root, **data))
    assert words in page
    assert data.get("since", "") in page
    assert not Export.objects.exists()


def test_a_form_that_is_sent_twice_is_one_export(root: Client) -> None:
    for _ in range(2):
        ask(root, kind="products")
    assert Export.objects.count() == 1


def clerk(*rights: str) -> Client:
    user, client = StaffFactory(), Client()
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    return client


def test_rights_decide_what_staff_may_take_away() -> None:
    export = exported(StaffFactory())
    url = f"{EXPORTS}{export.uid}/"
    # The pages of the admin are for staff with the right, and a customer is sent to sign in.
    customer = Client()
    customer.force_login(UserFactory())
    assert customer.get(EXPORTS).status_code == 302
    assert [clerk().get(path).status_code for path in (EXPORTS, url, IMPORT)] == [403] * 3
    some = clerk("add_export", "view_order")
    assert "Products" not in text_of(some.get(EXPORTS))
    assert [some.get(path).status_code for path in (url, f"{url}file/")] == [403, 403]
    assert "Select a valid choice" in text_of(ask(some, kind="customers"))
    assert clerk("add_export", "view_product").get(f"{url}file/").status_code == 200
    assert clerk("add_product", "change_product").get(IMPORT).status_code == 403
    assert clerk("add_product", "change_product", "change_stock").get(IMPORT).status_code == 200


HEAD = "sku,name,description,price,stock_delta\n"


def test_a_file_is_looked_at_and_then_carried_out_once(root: Client) -> None:
    ProductFactory(sku="OLD", name="Old name", list_price=1000)
    page = send(root, HEAD + "OLD,Old name,,12.00,3\nNEW,<b>New</b>,,5.00,2\n")
    url = page.redirect_chain[-1][0]
    shown = text_of(page)
    assert "Nothing has been written" in shown
    assert "<del>10.00</del>" in shown
    assert "&lt;b&gt;New&lt;/b&gt;" in shown
    assert not Product.objects.filter(sku="NEW").exists()
    for _ in range(2):
        done = root.post(url, {"once": "whatever"}, follow=True)
    assert "carried out before" in text_of(done)
    assert Stock.objects.get(product__sku="OLD").on_hand == 3
    assert ProductImport.objects.filter(dry_run=False).count() == 1


def test_a_trial_that_another_one_carried_out_is_shown_as_done(root: Client) -> None:
    ProductFactory(sku="OLD", name="Old name", list_price=1000)
    url = send(root, HEAD + "OLD,Old name,,12.00,3\n").redirect_chain[-1][0]
    other = clerk("add_product", "change_product", "change_stock")
    assert "Import now" in text_of(other.get(url))
    root.post(url, {"once": "x"})
    late = other.post(url, {"once": "y"})
    for page in (late, other.get(url)):
        assert "Import now" not in text_of(page)
        assert "It was carried out by" in text_of(page)
    assert "This file was carried out before; nothing was done again." in text_of(late)
    assert "checked, carried out" in text_of(other.get(IMPORT))
    assert Stock.objects.get(product__sku="OLD").on_hand == 3
    assert ProductImport.objects.filter(dry_run=False).count() == 1


def test_mistakes_are_a_table_with_rows_and_columns(root: Client) -> None:
    page = text_of(send(root, HEAD + "A,Desk,,free,\nB,,,1.00,x\n"))
    assert "3 mistakes, nothing was imported" in page
    assert '<td class="num">2</td><td translate="no">price</td>' in page
    assert '<td class="num">3</td><td translate="no">stock_delta</td>' in page
    assert not ProductImport.objects.exists()


@pytest.mark.usefixtures("own_rollbacks")
def test_what_became_wrong_since_the_trial_is_told(root: Client) -> None:
    product = ProductFactory(sku="A", stock=5)
    url = send(root, "sku,on_hand\nA,1\n").redirect_chain[-1][0]
    Stock.objects.filter(product=product).update(held=3)
    page = text_of(root.post(url, {"once": "x"}))
    assert "3 units are held for open orders" in page
    assert "Import now" in page
    assert Stock.objects.get(product=product).on_hand == 5


def test_an_empty_form_and_a_trial_that_is_no_longer_kept(root: Client) -> None:
    assert "This field is required" in text_of(root.post(IMPORT, {}))
    url = send(root, HEAD + "A,Desk,,1.00,\n").redirect_chain[-1][0]
    ProductImport.objects.update(content=None)
    assert "Import now" not in text_of(root.get(url))
    assert "no longer kept" in text_of(root.post(url, {"once": "x"}))
    assert not Product.objects.filter(sku="A").exists()


def test_the_index_leads_to_both(root: Client) -> None:
    page = text_of(root.get("/admin/"))
    assert f'href="{EXPORTS}"' in page
    assert f'href="{IMPORT}"' in page
    assert f'href="{EXPORTS}"' not in text_of(clerk("view_order").get("/admin/"))


def test_every_text_of_the_pages_can_be_translated(root: Client, foreign: None) -> None:
    ProductFactory(sku="OLD")
    made = exported(StaffFactory())
    trial = send(root, HEAD + "OLD,New name,,12.00,3\nNEW,New,,5.00,2\n")
    pages = [
        root.get(EXPORTS),
        root.get(f"{EXPORTS}{made.uid}/"),
        root.get(IMPORT),
        trial,
        send(root, HEAD + "A,Desk,,free,\n"),
    ]
    for page in pages:
        content = text_of(page).partition('<div id="content-main"')[2].partition("<footer")[0]
        assert untranslated(f'<div id="content-main"{content}') == []
