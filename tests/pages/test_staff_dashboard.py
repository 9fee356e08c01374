"""The staff's page: who may see and change what, and forms that lose nothing."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.test import Client

from common import clock
from common.audit.models import AuditEntry
from payments.statistics.services import methods_count
from shop.catalogue.services import product_update
from shop.flash_sales.services import positions_give
from shop.models import PriceChange, Product, Stock, StockMovement
from shop.statistics.services import sales_count
from tests.factories.admin import root
from tests.factories.flash import buy as flash_buy
from tests.factories.flash import live_run
from tests.factories.flash import pay as flash_pay
from tests.factories.orders import buy, own_rollbacks
from tests.factories.shop import ProductFactory
from tests.factories.users import StaffFactory, UserFactory
from tests.pages.reading import Page, said, untranslated

__all__ = ["own_rollbacks", "root"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks")]

URL = "/admin/dashboard/"
LOOK = ("view_order", "view_product", "view_payment")


def staff(*rights: str) -> Client:
    user = StaffFactory()
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


def text(answer: Any) -> str:
    page: str = answer.content.decode()
    return page


@pytest.fixture
def lamp(db: None) -> Product:
    made: Product = ProductFactory(stock=9, name="Brass lamp", description="Of brass.")
    return made


def fields(page: str, part: str) -> dict[str, str]:
    """What the form that is sent to `…/part/` has in its fields."""
    form = page.split(f"/{part}/?", 1)[1].split("</form>", 1)[0]
    found = {
        match["name"]: match["value"] or ""
        for match in re.finditer(
            r'<input type="(?!checkbox|submit)[^"]*" name="(?P<name>\w+)"'
            r'(?: value="(?P<value>[^"]*)")?',
            form,
        )
    }
    area = re.search(r'<textarea name="description"[^>]*>\n?([^<]*)</textarea>', form)
    return {**found, **({"description": area[1]} if area else {})}


# Who may.


def test_strangers_and_customers_are_led_to_the_sign_in_and_staff_without_rights_refused() -> None:
    customer = Client()
    customer.force_login(UserFactory())
    for client in (Client(), customer):
        answer = client.get(URL)
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/admin/login/")
    for missing in LOOK:
        client = staff(*(right for right in LOOK if right != missing))
        assert client.get(URL).status_code == 403
        assert "/admin/dashboard/" not in text(client.get("/admin/"))
    allowed = staff(*LOOK)
    assert allowed.get(URL).status_code == 200
    assert "/admin/dashboard/" in text(allowed.get("/admin/"))


def test_who_may_not_change_sees_no_form_and_changes_nothing(lamp: Product) -> None:
    here = f"{URL}products/{lamp.slug}/"
    looking = staff(*LOOK)
    page = text(looking.get(here))
    assert "Brass lamp" in page
    assert 'method="post" action="/admin/dashboard/' not in page
    for part in ("price", "stock"):
        assert looking.post(f"{here}{part}/", {"price": "1.00"}).status_code == 403
    stocked = staff(*LOOK, "change_stock")
    page = text(stocked.get(here))
    assert f"{here}stock/" in page
    assert f"{here}price/" not in page
    assert stocked.post(f"{here}price/", {}).status_code == 403
    lamp.refresh_from_db()
    assert lamp.list_price == 1000


def test_a_form_from_elsewhere_is_refused(lamp: Product, root: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = root.cookies
    page = text(root.get(f"{URL}products/{lamp.slug}/"))
    sent = {**fields(page, "price"), "price": "1.00"}
    sent.pop("csrfmiddlewaretoken")
    assert strict.post(f"{URL}products/{lamp.slug}/price/", sent).status_code == 403


def test_sections_are_for_who_may_see_their_rows(root: Client) -> None:
    live_run(units=2)
    sales_count()
    few, all_of_it = said(text(staff(*LOOK).get(URL))), said(text(root.get(URL)))
    for words in ("Exchange batches", "Price providers", "Flash-sale runs", "Tasks that wait"):
        assert words not in few
        assert words in all_of_it


# What it shows.


def test_page_and_json_come_from_one_call(
    root: Client, api: Any, staff_api: Any, sandbox: Any, drain: Callable[..., int], lamp: Product
) -> None:
    buy(api, drain, (lamp.slug, 3))
    sales_count()
    methods_count()
    cache.clear()
    found = staff_api.get("/api/v1/admin/dashboard/").json()
    page = text(root.get(URL))
    seen, links = said(page), [link.replace("&amp;", "&") for link in Page(page).links]
    for words in (f"${found['revenue']}", found["average_order_value"], "Brass lamp", "100.00 %"):
        assert words in seen
    for path in (found["rows"], found["by_method"][0]["rows"], found["top_sellers"][0]["rows"]):
        assert path in links


def test_a_wrong_period_is_told_beside_its_field_and_kept(root: Client) -> None:
    answer = root.get(f"{URL}?from=2026-02-02&to=2026-02-01&granularity=week")
    assert answer.status_code == 400
    page = text(answer)
    assert "must not end before it begins" in page
    assert 'value="2026-02-02"' in page
    assert 'aria-describedby="id_to_wrong"' in page
    assert 'id="id_to_wrong"' in page
    for query in ("from=yesterday", "granularity=fortnight", "from=1800-01-01&to=2026-01-01"):
        assert root.get(f"{URL}?{query}").status_code == 400


def test_charts_have_a_title_a_description_and_a_table(root: Client) -> None:
    page = text(root.get(URL))
    for name in ("revenue", "orders"):
        assert f'aria-labelledby="{name}-title {name}-text"' in page
        assert f'<title id="{name}-title">' in page
        assert f'<desc id="{name}-text">' in page
    assert "<caption>Revenue, orders, units and refunds over time</caption>" in page


def everything(lamp: Product) -> None:
    run = live_run(units=5)
    flash_pay(flash_buy(run, 1))
    run.purchases.update(paid_at=clock.now() - timedelta(seconds=9))
    positions_give(run_id=run.pk)
    product_update(slug=lamp.slug, changes={"list_price": 900}, actor_id=None)
    sales_count()
    methods_count()
    cache.clear()


def ours(page: str) -> str:
    """Without what Django's own templates say."""
    return "<div" + page.split('<div id="content-main"', 1)[1].split('<footer id="footer"', 1)[0]


def test_every_text_can_be_translated(root: Client, lamp: Product, foreign: None) -> None:
    everything(lamp)
    here = f"{URL}products/{lamp.slug}/"
    wrong = root.post(f"{here}stock/", {"delta": "0", "reason": ""})
    for answer in (root.get(URL), root.get(here), wrong):
        joints = (",", "(", ")", ".", lamp.description)
        left = [one for one in untranslated(ours(text(answer))) if one not in joints]
        assert left == []


def test_nothing_is_inline_or_from_another_host(root: Client, lamp: Product) -> None:
    everything(lamp)
    page = text(root.get(f"{URL}products/{lamp.slug}/"))
    assert [link for link in Page(page).links if "://" in link] == []
    assert " style=" not in page
    assert re.findall(r"\son\w+=", page) == []
    assert re.findall(r"<(?:script|style)(?![^>]*(?:nonce|src)=)", page) == []


# What can be changed from it.


def test_a_new_price_is_saved_with_its_history_and_an_audit_row(
    root: Client, lamp: Product
) -> None:
    page = text(root.get(f"{URL}products/{lamp.slug}/?from=2026-11-01&to=2026-11-20"))
    sent = {**fields(page, "price"), "price": "8.50", "description": "Of polished brass."}
    here = f"{URL}products/{lamp.slug}/price/?from=2026-11-01&to=2026-11-20"
    answer = root.post(here, sent, follow=True)
    [(back, _)] = answer.redirect_chain
    assert back.startswith(f"{URL}products/{lamp.slug}/?from=2026-11-01&to=2026-11-20")
    assert "has its new terms" in text(answer)
    assert "$8.50" in text(answer)
    lamp.refresh_from_db()
    assert (lamp.list_price, lamp.description) == (850, "Of polished brass.")
    assert PriceChange.objects.filter(product=lamp).latest("pk").list_price == 850
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.target) == ("product.update", f"product:{lamp.slug}")
    # Sent twice, it is carried out once.
    changes = PriceChange.objects.filter(product=lamp).count()
    again = root.post(here, {**sent, "price": "7.00"}, follow=True)
    assert "was carried out before" in text(again)
    assert PriceChange.objects.filter(product=lamp).count() == changes


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("price", "0", "greater than or equal to 0.01"),
        ("price", "ten", "Enter a number"),
        ("price", "1.005", "no more than 2 decimal places"),
        ("price", "NaN", "Enter a number"),
        ("discount_percent", "100", "less than or equal to 99"),
        ("discount_percent", "", "This field is required"),
        ("discount_starts_at", "soon", "Enter a valid date"),
        ("seen", "never", "Open this product again"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field_and_nothing_is_lost(
    root: Client, lamp: Product, field: str, value: str, words: str
) -> None:
    page = text(root.get(f"{URL}products/{lamp.slug}/"))
    sent = {**fields(page, "price"), "description": "A typed text.", field: value}
    answer = root.post(f"{URL}products/{lamp.slug}/price/", sent)
    assert answer.status_code == 400
    page = text(answer)
    assert words in page
    assert "A typed text." in page
    assert f'value="{value}"' in page or not value
    if field != "seen":
        assert f'aria-describedby="id_{field}_wrong' in page
    lamp.refresh_from_db()
    assert (lamp.list_price, lamp.description) == (1000, "Of brass.")


def test_a_refusal_of_the_service_is_told_beside_its_field(root: Client, lamp: Product) -> None:
    page = text(root.get(f"{URL}products/{lamp.slug}/"))
    window = {"discount_starts_at": "2026-11-20T10:00", "discount_ends_at": "2026-11-20T09:00"}
    answer = root.post(
        f"{URL}products/{lamp.slug}/price/", {**fields(page, "price"), **window, "price": "5.00"}
    )
    assert answer.status_code == 400
    page = text(answer)
    assert "must end after it starts" in page
    assert 'id="id_discount_ends_at_wrong"' in page
    assert 'value="5.00"' in page
    lamp.refresh_from_db()
    assert lamp.list_price == 1000


def test_what_somebody_else_has_changed_meanwhile_is_shown_and_not_lost(
    root: Client, lamp: Product
) -> None:
    page = text(root.get(f"{URL}products/{lamp.slug}/"))
    product_update(slug=lamp.slug, changes={"list_price": 1200}, actor_id=None)
    sent = {**fields(page, "price"), "price": "9.00"}
    answer = root.post(f"{URL}products/{lamp.slug}/price/", sent)
    assert answer.status_code == 400
    shown = text(answer)
    assert "Somebody has changed this product" in shown
    assert "12.00" in shown
    assert 'value="9.00"' in shown
    lamp.refresh_from_db()
    assert lamp.list_price == 1200
    # Sent once more, with what has been seen now, it takes its place.
    sent = {**fields(shown, "price"), "price": "9.00"}
    assert root.post(f"{URL}products/{lamp.slug}/price/", sent).status_code == 302
    lamp.refresh_from_db()
    assert lamp.list_price == 900


def test_control_without_what_was_seen_the_other_change_would_be_lost(lamp: Product) -> None:
    product_update(slug=lamp.slug, changes={"list_price": 1200}, actor_id=None)
    product_update(slug=lamp.slug, changes={"list_price": 900}, actor_id=None)
    lamp.refresh_from_db()
    assert lamp.list_price == 900


def test_a_window_keeps_its_seconds_when_something_else_is_changed(
    root: Client, lamp: Product
) -> None:
    start = clock.now().replace(second=42, microsecond=7)
    changes: Any = {"discount_percent": 10, "discount_starts_at": start}
    product_update(slug=lamp.slug, changes=changes, actor_id=None)
    page = text(root.get(f"{URL}products/{lamp.slug}/"))
    sent = {**fields(page, "price"), "description": "New."}
    assert root.post(f"{URL}products/{lamp.slug}/price/", sent).status_code == 302
    lamp.refresh_from_db()
    assert (lamp.discount_starts_at, lamp.description) == (start, "New.")


def test_stock_is_changed_by_the_service_with_its_movement(root: Client, lamp: Product) -> None:
    here = f"{URL}products/{lamp.slug}/"
    page = text(root.get(here))
    sent = {**fields(page, "stock"), "delta": "-2", "reason": "broken"}
    assert "-2." in text(root.post(f"{here}stock/", sent, follow=True))
    assert Stock.objects.get(product=lamp).on_hand == 7
    movement = StockMovement.objects.filter(stock__product=lamp).latest("pk")
    assert (movement.delta, movement.reason) == (-2, "broken")
    refused = {"delta": "-99", "set": "", "reason": "typed"}
    page = text(root.get(here))
    answer = root.post(f"{here}stock/", {**fields(page, "stock"), **refused})
    assert answer.status_code == 400
    assert 'value="typed"' in text(answer)
    both = root.post(f"{here}stock/", {**fields(page, "stock"), **refused, "set": "3"})
    assert "Give either a change or a counted number." in text(both)
    assert Stock.objects.get(product=lamp).on_hand == 7


def test_a_product_that_is_not_there_is_404(root: Client) -> None:
    assert root.get(f"{URL}products/nothing/").status_code == 404
    assert root.post(f"{URL}products/nothing/price/", {}).status_code == 404
