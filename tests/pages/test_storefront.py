"""The shop in a browser: looking, buying, and what is said when it does not work."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.ledger import selectors as ledger
from payments.intake.models import Payment
from shop.models import Order, Product
from tests.factories.flash import buy as flash_buy
from tests.factories.flash import live_run, planned_run
from tests.factories.flash import pay as flash_pay
from tests.factories.market import priced
from tests.factories.orders import own_rollbacks, settled
from tests.factories.shop import ProductFactory
from tests.factories.users import PASSWORD, UserFactory
from tests.pages.reading import Page, said, untranslated

__all__ = ["own_rollbacks", "settled"]

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox"),
]


@pytest.fixture
def member(customer: Any) -> Client:
    """A browser in which `customer` has signed in."""
    client = Client()
    client.force_login(customer)
    return client


def text(answer: Any) -> str:
    return said(answer.content.decode())


def hidden(client: Client, path: str) -> dict[str, str]:
    """The form of a page as it is: its hidden fields."""
    page = client.get(path).content.decode()
    return dict(re.findall(r'<input type="hidden" name="(key|seen)" value="(\w+)"', page))


def order(client: Client, product: Product, path: str = "", **chosen: Any) -> Any:
    path = path or f"/p/{product.slug}/"
    body = {"quantity": 1, "method": "stripe", **hidden(client, path), **chosen}
    return client.post(f"{path}buy/", body)


def paid(answer: Any, drain: Callable[..., int]) -> Any:
    """The answer to a test card, on the page to which buying led."""
    assert answer.status_code == 302
    assert answer["Location"].startswith("/pay/")
    made = Client().post(f"{answer['Location']}card/", {"card": "pm_card_visa"})
    drain()
    return made


def with_money(client: Client, drain: Callable[..., int], amount: str = "100") -> None:
    path = "/wallet/"
    answer = client.post(path, {"amount": amount, "method": "stripe", **hidden(client, path)})
    paid(answer, drain)


def test_products_are_found_by_a_word(db: None) -> None:
    ProductFactory(name="Brass lamp", stock=1)
    ProductFactory(name="Oak chair")
    assert {"Brass lamp", "Oak chair"} <= set(
        Page(Client().get("/products/").content.decode()).data
    )
    found = text(Client().get("/products/?q=brass"))
    assert "Brass lamp" in found
    assert "Oak chair" not in found
    assert "Nothing was found" in text(Client().get("/products/?q=zzz"))


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=x", "page=9999999999", "q=%00", "page=²"]
)
def test_nonsense_in_the_address_of_the_list_is_no_error(query: str) -> None:
    assert Client().get(f"/products/?{query}").status_code == 200


def test_a_product_shows_price_stock_picture_history_and_a_price_in_coins(db: None) -> None:
    priced("ethereum", "3500")
    lamp = ProductFactory(stock=7, description="It shines.", image="static:catalogue/lamp.svg")
    answer = Client().get(f"/p/{lamp.slug}/?token=ETH")
    shown = Page(answer.content.decode())
    assert {"$10.00", "It shines."} <= set(shown.data)
    assert "7 in stock" in said(answer.content.decode())
    assert any(re.fullmatch(r"0\.00285\d+ ETH", data) for data in shown.data)
    assert "/static/catalogue/lamp.svg" in shown.links
    assert "Lowest public price of the last 30 days: $10.00" in said(answer.content.decode())


def test_a_token_that_has_no_price_is_said_and_an_unknown_one_is_passed_over(db: None) -> None:
    lamp = ProductFactory(stock=1)
    assert "No price in this token" in text(Client().get(f"/p/{lamp.slug}/?token=ETH"))
    assert Client().get(f"/p/{lamp.slug}/?token=NOPE").status_code == 200


@pytest.mark.parametrize("path", ["/p/nothing/", "/flash/nothing/"])
def test_what_does_not_exist_is_a_page_that_says_so(path: str) -> None:
    answer = Client().get(path)
    assert answer.status_code == 404
    assert "There is no such thing here" in text(answer)


def test_a_flash_sale_shows_its_stock_and_who_was_first(db: None) -> None:
    run = live_run(units=7)
    flash_pay(flash_buy(run, 2))
    from shop.flash_sales import services  # noqa: PLC0415

    run.purchases.update(paid_at=run.starts_at)
    services.runs_sweep()
    answer = Client().get(f"/flash/{run.sale.slug}/")
    buyer = run.purchases.get().user
    assert buyer.username in text(answer)
    assert buyer.email not in answer.content.decode()
    assert f'data-stream="/api/v1/flash-sales/{run.sale.slug}/stream/"' in answer.content.decode()


@pytest.mark.parametrize("chosen", ["", "lamp.lover"])
def test_a_leader_has_the_name_that_he_chose_or_one_that_says_nothing(chosen: str) -> None:
    from accounts.users.services import user_register  # noqa: PLC0415
    from shop.flash_sales import services  # noqa: PLC0415

    buyer = user_register(email="omar.haddad@example.org", password=PASSWORD, username=chosen)
    type(buyer).objects.filter(pk=buyer.pk).update(name="Omar Haddad")
    run = live_run(units=3)
    flash_pay(flash_buy(run, user_id=buyer.pk))
    run.purchases.update(paid_at=run.starts_at)
    services.runs_sweep()
    page = text(Client().get(f"/flash/{run.sale.slug}/"))
    assert (chosen or buyer.username) in page
    assert "omar" not in page.lower()
    assert "haddad" not in page.lower()


def test_a_card_buys_at_the_members_price(member: Client, drain: Callable[..., int]) -> None:
    lamp = ProductFactory(stock=3, discount_percent=20, discount_members_only=True)
    paid(order(member, lamp, quantity=2), drain)
    bought = Order.objects.get()
    assert (bought.status, bought.total) == ("paid", 1600)
    page = text(member.get("/purchases/"))
    assert bought.number in page
    assert "Paid" in page
    assert "$16.00" in page
    assert "Paid" in text(member.get(f"/purchases/{bought.number}/"))


def test_a_wallet_is_filled_by_card_and_buys_at_once(
    member: Client, customer: Any, drain: Callable[..., int]
) -> None:
    with_money(member, drain, "25.50")
    assert "$25.50" in text(member.get("/wallet/"))
    answer = order(member, ProductFactory(stock=3), method="wallet", quantity=2)
    bought = Order.objects.get()
    assert (answer["Location"], bought.status) == (f"/purchases/{bought.number}/", "paid")
    [balance] = ledger.balances_of(customer.pk)
    assert balance["available"] == 550


def test_two_clicks_are_one_purchase(member: Client, drain: Callable[..., int]) -> None:
    lamp = ProductFactory(stock=9)
    body = {"quantity": 1, "method": "stripe", **hidden(member, f"/p/{lamp.slug}/")}
    answers = [member.post(f"/p/{lamp.slug}/buy/", body) for _ in range(2)]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert Order.objects.count() == 1
    order(member, lamp)
    assert Order.objects.count() == 2


@pytest.mark.parametrize("where", ["product", "flash", "wallet"])
def test_a_form_sent_again_with_other_values_comes_back_with_a_key_that_works(
    where: str, member: Client
) -> None:
    lamp, run = ProductFactory(stock=9), live_run(units=9)
    pages = {"product": f"/p/{lamp.slug}/", "flash": f"/flash/{run.sale.slug}/"}
    shown = pages.get(where, "/wallet/")
    send = shown if where == "wallet" else f"{shown}buy/"
    body = {"quantity": 1, "amount": "5", "method": "stripe", **hidden(member, shown)}
    assert member.post(send, body).status_code == 302
    other = {**body, "quantity": 2, "amount": "6"}
    refused = member.post(send, other)
    assert refused.status_code == 422
    assert "sent before with other values" in text(refused)
    [key] = set(re.findall(r'name="key" value="(\w+)"', refused.content.decode()))
    assert key != body["key"]
    assert member.post(send, {**other, "key": key}).status_code == 302
    # What was typed is still there, and the first key still stands for the first purchase.
    assert 'value="6"' in refused.content.decode() or 'value="2"' in refused.content.decode()
    assert member.post(send, other).status_code == 422


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"quantity": "0"}, "greater than or equal to 1"),
        ({"quantity": "-3"}, "greater than or equal to 1"),
        ({"quantity": "1.5"}, "Enter a whole number."),
        ({"quantity": "9" * 5000}, "Enter a whole number."),
        ({"quantity": ""}, "This field is required."),
        ({"method": "barter"}, "Choose a way to pay."),
        ({"method": ""}, "Choose a way to pay."),
    ],
)
def test_a_wrong_choice_is_said_at_its_field_and_buys_nothing(
    wrong: dict[str, str], expected: str, member: Client
) -> None:
    answer = order(member, ProductFactory(stock=9), **wrong)
    assert answer.status_code == 400
    assert expected in text(answer)
    assert not Order.objects.exists()


def test_more_than_there_is_is_refused_and_the_choice_is_kept(member: Client) -> None:
    answer = order(member, ProductFactory(stock=2), quantity=3, method="wallet")
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "There are not as many left" in said(page)
    assert 'name="quantity" value="3"' in page
    assert re.search(r'value="wallet"[^>]* checked', page)


def test_a_price_that_has_changed_meanwhile_is_shown_before_anything_is_bought(
    member: Client,
) -> None:
    lamp = ProductFactory(stock=9)
    path = f"/p/{lamp.slug}/"
    body = {"quantity": 2, "method": "stripe", **hidden(member, path)}
    Product.objects.filter(pk=lamp.pk).update(list_price=1500)
    answer = member.post(f"{path}buy/", body)
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "The price has changed" in said(page)
    assert "$15.00" in said(page)
    assert 'name="seen" value="1500"' in page
    assert 'name="quantity" value="2"' in page
    assert not Order.objects.exists()


def test_an_empty_wallet_says_what_to_do(member: Client) -> None:
    answer = order(member, ProductFactory(stock=9), method="wallet")
    assert answer.status_code == 409
    assert "There is not enough money in your wallet" in text(answer)


def test_who_is_not_signed_in_signs_in_and_finds_the_choice_again(customer: Any) -> None:
    client, lamp = Client(), ProductFactory(stock=9)
    answer = order(client, lamp, quantity=4, method="wallet")
    assert answer.status_code == 302
    back = re.search(r"next=(.*)", answer["Location"])
    assert back is not None
    body = {"identifier": customer.email, "password": PASSWORD}
    page = client.get(answer["Location"]).content.decode()
    there, *_ = re.findall(r'name="next" value="([^"]*)"', page)
    answer = client.post("/account/sign-in/", body | {"next": there.replace("&amp;", "&")})
    page = client.get(answer["Location"]).content.decode()
    assert 'name="quantity" value="4"' in page
    assert re.search(r'value="wallet"[^>]* checked', page)


def test_an_order_is_cancelled_once(member: Client) -> None:
    order(member, ProductFactory(stock=9))
    number = Order.objects.get().number
    assert member.post(f"/purchases/{number}/cancel/").status_code == 302
    assert "Cancelled" in text(member.get(f"/purchases/{number}/"))
    again = member.post(f"/purchases/{number}/cancel/")
    assert again.status_code == 409
    assert "no longer possible" in text(again)


def test_an_order_is_paid_another_way(member: Client, drain: Callable[..., int]) -> None:
    with_money(member, drain)
    order(member, ProductFactory(stock=9))
    made = Order.objects.get()
    answer = member.post(f"/purchases/{made.number}/pay/", {"method": "wallet"})
    assert answer["Location"] == f"/purchases/{made.number}/"
    assert "Paid" in text(member.get(answer["Location"]))
    assert [p.status for p in Payment.objects.filter(order=made).order_by("pk")] == [
        "replaced",
        "succeeded",
    ]
    assert member.post(f"/purchases/{made.number}/pay/", {"method": "x"}).status_code == 400


def test_nobody_sees_or_touches_anothers_purchase(member: Client) -> None:
    order(member, ProductFactory(stock=9))
    number = Order.objects.get().number
    other = Client()
    other.force_login(UserFactory())
    assert other.get(f"/purchases/{number}/").status_code == 404
    for path in ("cancel", "pay"):
        body = {"method": "stripe"}
        assert other.post(f"/purchases/{number}/{path}/", body).status_code == 404
    assert Order.objects.get().status == "pending_payment"
    assert number not in text(other.get("/purchases/"))


def test_units_of_a_flash_sale_are_bought(member: Client, drain: Callable[..., int]) -> None:
    run = live_run(units=3, per_user_limit=2)
    path = f"/flash/{run.sale.slug}/"
    paid(order(member, run.sale.product, path, quantity=2), drain)
    assert Order.objects.get().status == "paid"
    answer = order(member, run.sale.product, path)
    assert answer.status_code == 409
    assert "as many units of this sale as one buyer may have" in text(answer)


def test_a_sale_that_is_sold_out_or_not_open_says_so(member: Client) -> None:
    run = live_run(units=1)
    flash_buy(run)
    path = f"/flash/{run.sale.slug}/"
    body = {"quantity": 1, "method": "stripe"}
    answer = member.post(f"{path}buy/", body)
    assert answer.status_code == 409
    assert "Sold out" in text(answer)
    coming = planned_run(units=1)
    answer = member.post(f"/flash/{coming.sale.slug}/buy/", body)
    assert answer.status_code == 409
    assert "has not started yet" in text(answer)


@pytest.mark.parametrize("amount", ["0", "-5", "1.001", "NaN", "1e400", "", "x", "99999999"])
def test_no_nonsense_is_paid_into_a_wallet(amount: str, member: Client) -> None:
    answer = member.post("/wallet/", {"amount": amount})
    assert answer.status_code == 400
    assert 'aria-invalid="true"' in answer.content.decode()
    assert not Payment.objects.exists()


def test_a_form_of_another_site_is_refused(customer: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(customer)
    lamp = ProductFactory(stock=9)
    body = {"quantity": 1, "method": "stripe"}
    assert client.post(f"/p/{lamp.slug}/buy/", body).status_code == 403
    assert not Order.objects.exists()


def test_every_text_of_every_page_can_be_translated(
    member: Client, drain: Callable[..., int], foreign: None
) -> None:
    run = live_run(units=3)
    order(member, ProductFactory(stock=3))
    number = Order.objects.get().number
    paths = ["/products/", f"/p/{run.sale.product.slug}/?token=ETH", f"/flash/{run.sale.slug}/"]
    paths += ["/purchases/", f"/purchases/{number}/", "/wallet/", "/p/nothing/"]
    found = {path: untranslated(member.get(path).content.decode()) for path in paths}
    for path in ("/account/sign-in/", "/account/register/"):
        found[path] = untranslated(Client().post(path, {}).content.decode())
    assert {path: texts for path, texts in found.items() if texts} == {}


def test_a_page_of_purchases_costs_the_same_however_many_there_are(member: Client) -> None:
    from django.db import connection  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    lamp, counts = ProductFactory(stock=30), []
    for number in (1, 5):
        for _ in range(number):
            order(member, lamp)
        with CaptureQueriesContext(connection) as queries:
            assert member.get("/purchases/").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def live_key(settings: Any, publishable: str) -> None:
    settings.STRIPE_SANDBOX = False
    settings.STRIPE_SECRET_KEY, settings.STRIPE_PUBLISHABLE_KEY = "sk_live_own", publishable


def test_a_card_that_no_page_could_take_is_not_offered(
    member: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A live key without its publishable one: Stripe's form cannot be shown."""
    path = f"/p/{ProductFactory(stock=5).slug}/"
    live_key(settings, "")
    assert 'value="stripe"' not in member.get(path).content.decode()
    assert member.post(f"{path}buy/", {"quantity": 1, "method": "stripe"}).status_code == 400
    assert not Order.objects.exists()
    settings.CHAIN_RPC_URL = ""
    assert 'name="amount"' not in member.get("/wallet/").content.decode()


def test_with_the_publishable_key_it_is(member: Client, settings: Any) -> None:
    live_key(settings, "pk_live_own")
    page = member.get(f"/p/{ProductFactory(stock=5).slug}/").content.decode()
    assert 'value="stripe"' in page
    assert 'name="amount"' in member.get("/wallet/").content.decode()
