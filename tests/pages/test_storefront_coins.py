"""Paying with coins from the shop's pages: what is offered, what is kept, and where it leads."""

import re
from typing import Any

import pytest
from django.test import Client

from dashboards.storefront import selectors
from payments.crypto.models import Invoice
from payments.intake import ports
from payments.intake.models import Payment
from payments.market.models import CoinPrice
from payments.market.selectors import latest_renew
from shop.models import Order
from tests.factories.flash import live_run
from tests.factories.market import priced
from tests.factories.orders import own_rollbacks, settled
from tests.factories.shop import ProductFactory
from tests.pages.reading import Page, said, untranslated

__all__ = ["own_rollbacks", "settled"]

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox"),
]

# In the letters of its checksum.
ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
AWAY = "Coins cannot be taken at the moment"


@pytest.fixture(autouse=True)
def prices(db: None) -> None:
    """A product of 10.00 USD is 0.005 ETH, or ten USDC."""
    priced("ethereum", "2000")
    priced("usd-coin", "1")


@pytest.fixture
def member(customer: Any) -> Client:
    client = Client()
    client.force_login(customer)
    return client


def no_prices() -> None:
    CoinPrice.objects.all().delete()
    latest_renew()


def text(answer: Any) -> str:
    return said(answer.content.decode())


def order(client: Client, path: str, **chosen: Any) -> Any:
    return client.post(f"{path}buy/", {"quantity": 1, "method": "crypto", **chosen})


def product_page() -> str:
    return f"/p/{ProductFactory(stock=9).slug}/"


def checked(page: str, name: str) -> list[str]:
    found = re.findall(r"<input type=\"radio\"[^>]*>", page)
    return [
        re.findall(r'value="(\w+)"', each)[0]
        for each in found
        if f'name="{name}"' in each and " checked" in each
    ]


def test_each_token_is_offered_with_what_the_product_costs_in_it(member: Client) -> None:
    page = Page(member.get(product_page()).content.decode())
    assert {"≈ 0.005000000000000000", "≈ 10.000000"} <= set(page.data)
    assert {"1 ETH = $2,000", "1 USDC = $1"} <= set(page.data)


@pytest.mark.parametrize(("token", "amount"), [("ETH", 5 * 10**15), ("USDC", 10 * 10**6)])
def test_coins_buy_and_lead_to_the_page_with_the_address(
    token: str, amount: int, member: Client
) -> None:
    answer = order(member, product_page(), token=token, refund_address=ADDRESS.lower())
    invoice = Invoice.objects.get()
    assert (invoice.token, invoice.amount, invoice.refund_address) == (token, amount, ADDRESS)
    assert answer["Location"] == f"/pay/{invoice.payment.uid}/"
    assert invoice.address in text(Client().get(answer["Location"]))


def test_coins_buy_of_a_flash_sale(member: Client) -> None:
    run = live_run(units=3, price=500)
    path = f"/flash/{run.sale.slug}/"
    assert "≈ 0.002500000000000000" in text(member.get(path))
    answer = order(member, path, token="USDC", refund_address=ADDRESS)
    invoice = Invoice.objects.get()
    assert answer["Location"] == f"/pay/{invoice.payment.uid}/"
    assert (invoice.amount, invoice.refund_address) == (5 * 10**6, ADDRESS)


def test_coins_fill_the_wallet(member: Client) -> None:
    assert "1 ETH = $2,000" in text(member.get("/wallet/"))
    answer = member.post("/wallet/", {"amount": "20", "method": "crypto", "token": "ETH"})
    payment = Payment.objects.get()
    assert answer["Location"] == f"/pay/{payment.uid}/"
    assert (payment.order, payment.method, payment.invoice.amount) == (None, "crypto", 10**16)


def test_a_wallet_is_not_filled_from_itself(member: Client) -> None:
    answer = member.post("/wallet/", {"amount": "20", "method": "wallet"})
    assert answer.status_code == 400
    assert not Payment.objects.exists()


def test_an_order_is_paid_with_coins_instead(member: Client) -> None:
    order(member, product_page(), method="stripe")
    number = Order.objects.get().number
    assert "≈ 10.000000" in text(member.get(f"/purchases/{number}/"))
    body = {"method": "crypto", "token": "USDC", "refund_address": ADDRESS}
    answer = member.post(f"/purchases/{number}/pay/", body)
    invoice = Invoice.objects.get()
    assert answer["Location"] == f"/pay/{invoice.payment.uid}/"
    assert (invoice.token, invoice.refund_address) == ("USDC", ADDRESS)


@pytest.mark.parametrize(
    "wrong",
    [ADDRESS.replace("Ae", "ae", 1), ADDRESS[:-1], "vitalik.eth", "0x" + "g" * 40, "1" * 42],
)
def test_a_wrong_address_is_said_at_its_field_and_nothing_is_lost(
    wrong: str, member: Client
) -> None:
    path = product_page()
    answer = order(member, path, token="USDC", refund_address=wrong, quantity=3)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "no address of the chain" in said(page)
    assert re.search(rf'name="refund_address" value="{wrong}"[^>]*aria-invalid="true"', page)
    assert (checked(page, "method"), checked(page, "token")) == (["crypto"], ["USDC"])
    assert 'name="quantity" value="3"' in page
    assert not Order.objects.exists()


def test_what_stands_in_the_fields_of_coins_does_not_matter_to_a_card(member: Client) -> None:
    answer = order(member, product_page(), method="stripe", token="GONE", refund_address="x")
    assert answer.status_code == 302
    assert not Invoice.objects.exists()


def test_without_prices_the_other_ways_are_offered_and_the_page_says_so(member: Client) -> None:
    path = product_page()
    assert AWAY not in text(member.get(path))
    no_prices()
    page = member.get(path).content.decode()
    assert AWAY in said(page)
    assert 'value="crypto"' not in page
    assert {'value="stripe"', 'value="wallet"'} <= set(re.findall(r'value="\w+"', page))
    assert order(member, path, method="stripe").status_code == 302


def test_prices_that_go_while_somebody_chooses_take_nothing_with_them(member: Client) -> None:
    path = product_page()
    no_prices()
    answer = order(member, path, token="USDC", refund_address=ADDRESS, quantity=4)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert AWAY in said(page)
    assert 'name="quantity" value="4"' in page
    # For when there are prices again.
    assert f'name="refund_address" value="{ADDRESS}"' in page
    assert 'name="token" value="USDC"' in page


def test_a_rate_that_is_refused_at_the_last_moment_keeps_the_form(
    member: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Young enough to be shown, too old to be bought at, and no provider answers."""
    settings.MARKET_CHECKOUT_SECONDS = -1
    path = product_page()
    for there, body in ((path, {}), ("/wallet/", {"amount": "25.50"})):
        chosen = {"method": "crypto", "token": "USDC", "refund_address": ADDRESS, "quantity": 2}
        answer = member.post(f"{there}buy/" if there == path else there, {**chosen, **body})
        page = answer.content.decode()
        assert answer.status_code == 503
        assert "No price of this token can be trusted at the moment" in said(page)
        assert (checked(page, "method"), checked(page, "token")) == (["crypto"], ["USDC"])
        assert f'name="refund_address" value="{ADDRESS}"' in page
    assert 'name="amount" value="25.50"' in page
    assert not Payment.objects.exists()


def test_an_order_keeps_its_form_too(member: Client, settings: Any) -> None:
    order(member, product_page(), method="stripe")
    number = Order.objects.get().number
    settings.MARKET_CHECKOUT_SECONDS = -1
    body = {"method": "crypto", "token": "USDC", "refund_address": ADDRESS}
    answer = member.post(f"/purchases/{number}/pay/", body)
    page = answer.content.decode()
    assert (answer.status_code, checked(page, "token")) == (503, ["USDC"])
    assert f'value="{ADDRESS}"' in page
    assert [payment.status for payment in Payment.objects.all()] == ["awaiting"]


def test_a_token_that_was_retired_meanwhile_is_said(member: Client, settings: Any) -> None:
    settings.CHAIN_CONTRACTS = {}
    path = product_page()
    assert "USDC =" not in text(member.get(path))
    answer = order(member, path, token="USDC", refund_address=ADDRESS)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "This token is not taken now" in said(page)
    assert f'value="{ADDRESS}"' in page
    assert not Order.objects.exists()


@pytest.mark.parametrize("how", ["no chain", "no way to pay"])
def test_a_shop_that_takes_no_coins_does_not_speak_of_them(
    how: str, member: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "no chain":
        settings.CHAIN_RPC_URL = ""
    else:
        monkeypatch.delitem(ports._gateways, "crypto")
    assert selectors.methods() == ["stripe", "wallet"]
    page = member.get(product_page()).content.decode()
    assert 'value="crypto"' not in page
    assert AWAY not in said(page)


def test_a_price_that_changed_keeps_token_and_address(member: Client) -> None:
    answer = order(member, product_page(), token="USDC", refund_address=ADDRESS, seen=1)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert (checked(page, "method"), checked(page, "token")) == (["crypto"], ["USDC"])
    assert f'value="{ADDRESS}"' in page


def test_who_signs_in_first_finds_the_token_again_and_no_address_in_any_address(
    customer: Any,
) -> None:
    client, path = Client(), product_page()
    assert 'name="refund_address"' not in client.get(path).content.decode()
    answer = order(client, path, token="USDC", refund_address=ADDRESS)
    assert ADDRESS not in answer["Location"]
    client.force_login(customer)
    page = client.get(f"{path}?quantity=1&method=crypto&token=USDC").content.decode()
    assert "token%3DUSDC" in answer["Location"]
    assert (checked(page, "method"), checked(page, "token")) == (["crypto"], ["USDC"])


def test_every_text_about_coins_can_be_translated(member: Client, foreign: None) -> None:
    path = product_page()
    pages = [order(member, path, token="GONE", refund_address="x"), member.get("/wallet/")]
    no_prices()
    pages.append(member.get(path))
    assert [untranslated(page.content.decode()) for page in pages] == [[], [], []]
