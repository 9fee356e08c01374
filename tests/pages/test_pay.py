"""The page of a payment: what it says at each stage, to anybody who has its address."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from common import clock
from payments.checkout.paying.rules import Stage
from payments.intake import ports
from payments.intake.models import Payment
from payments.intake.rules import Reason, Status
from payments.stripe.models import StripeIntent
from tests.factories.orders import confirm, get_payment, place
from tests.factories.paying import ADDRESS, WEI, CoinsFake, a_payment, stamped
from tests.factories.shop import ProductFactory
from tests.pages.reading import Page, said, untranslated

pytestmark = pytest.mark.django_db


@pytest.fixture
def coins(monkeypatch: pytest.MonkeyPatch) -> CoinsFake:
    fake = CoinsFake()
    monkeypatch.setitem(ports._gateways, "crypto", fake)
    return fake


def see(payment: Any, path: str = "", **more: Any) -> Any:
    uid = payment["id"] if isinstance(payment, dict) else payment.uid
    return Client().get(f"/pay/{uid}/{path}", **more)


def page_of(payment: Any) -> str:
    answer = see(payment)
    assert answer.status_code == 200
    page: str = answer.content.decode()
    return page


def test_coins_are_asked_for_with_amount_address_code_link_and_time(
    customer: Any, coins: CoinsFake
) -> None:
    page = page_of(a_payment(customer))
    shown = Page(page)
    assert {"0.02 ETH", "0.02", ADDRESS, "$70.00", "31337", "6"} <= set(shown.data)
    assert f"ethereum:{ADDRESS}@31337?value={WEI}" in shown.links
    assert page.count('class="qr"') == 1
    assert 'data-countdown="89' in page


def test_nothing_personal_is_shown_and_nobody_need_be_signed_in(
    customer: Any, coins: CoinsFake
) -> None:
    page = page_of(a_payment(customer))
    for secret in (customer.email, customer.username, customer.name, str(customer.uid)):
        assert secret not in page
    assert not see(a_payment(customer)).cookies


def test_an_address_that_nobody_was_given_is_not_found(db: None) -> None:
    for path in ("", "state/"):
        assert Client().get(f"/pay/{uuid.uuid4()}/{path}").status_code == 404
    assert Client().get("/pay/1/").status_code == 404


ENDS: dict[tuple[str, str], str] = {
    (Status.PROCESSING, ""): "Your coins are on their way",
    (Status.SUCCEEDED, ""): "Paid. Thank you!",
    (Status.FAILED, ""): "The payment did not work",
    (Status.EXPIRED, ""): "Please send nothing to this address any more",
    (Status.REPLACED, ""): "Another way to pay was chosen",
    (Status.REFUNDED, ""): "Your money is on its way back",
    (Status.REVERSED, ""): "The payment was taken back",
    (Status.REVIEW, Reason.LATE): "after the time was over",
    (Status.REVIEW, Reason.UNDERPAID): "Less came",
    (Status.REVIEW, Reason.OVERPAID): "More came",
    (Status.REVIEW, Reason.MULTIPLE): "paid already",
    (Status.REVIEW, Reason.WRONG_TOKEN): "another kind",
    (Status.REVIEW, Reason.REORGED): "The chain took the transfer back",
    (Status.REVIEW, Reason.STOCK_GONE): "The goods were gone",
    (Status.REVIEW, Reason.DISPUTED): "Your bank was asked",
    (Status.REVIEW, Reason.FRAUD): "a closer look",
}


def test_every_status_and_every_reason_has_words_of_its_own() -> None:
    assert {status for status, _ in ENDS} == {*Status} - {Status.AWAITING}
    assert {reason for _, reason in ENDS} - {""} == {*Reason}


@pytest.mark.parametrize(("status", "reason"), ENDS)
def test_a_stage_is_told_in_plain_words(
    status: str, reason: str, customer: Any, coins: CoinsFake
) -> None:
    payment = stamped(a_payment(customer), status=status, reason=reason)
    words = said(page_of(payment))
    assert ENDS[status, reason] in words
    assert "Open in my wallet" not in words


def test_a_payment_whose_time_is_over_asks_for_nothing_though_no_sweep_has_come(
    customer: Any, coins: CoinsFake
) -> None:
    payment = a_payment(customer, expires_at=clock.now() - timedelta(seconds=1))
    assert "The time to pay is over" in said(page_of(payment))
    assert see(payment, "state/").json()["stage"] == Stage.OVER


@pytest.mark.parametrize(
    ("status", "reason"),
    [(Status.AWAITING, ""), (Status.PROCESSING, ""), (Status.REVIEW, Reason.UNDERPAID)],
)
def test_a_part_that_is_missing_is_asked_for_to_the_unit(
    status: str, reason: str, customer: Any, coins: CoinsFake
) -> None:
    assert coins.details is not None
    coins.details["received_base_units"] = str(WEI - 1)
    page = page_of(stamped(a_payment(customer), status=status, reason=reason))
    assert f"ethereum:{ADDRESS}@31337?value=1" in Page(page).links
    assert "Send the missing 0.000000000000000001 ETH" in said(page)


def test_confirmations_arrive_in_a_small_json_that_tells_when_the_page_differs(
    customer: Any, coins: CoinsFake
) -> None:
    assert coins.details is not None
    payment = a_payment(customer)
    before = see(payment, "state/").json()
    coins.details["received_base_units"] = str(WEI)
    seen = see(stamped(payment, status=Status.PROCESSING), "state/").json()
    coins.details["confirmations"] = 3
    later = see(payment, "state/").json()
    assert before["mark"] != seen["mark"] == later["mark"]
    assert [state["confirmations"] for state in (before, seen, later)] == [0, 0, 3]
    assert later["confirmations_required"] == 6
    page = page_of(payment)
    assert f'data-mark="{later["mark"]}"' in page
    assert "<progress" in page
    assert 'max="6" value="3"' in page
    assert len(see(payment, "state/").content) < 300


def test_a_payment_without_an_address_yet_says_so(customer: Any, coins: CoinsFake) -> None:
    coins.details = None
    assert "The address to pay to is being made" in said(page_of(a_payment(customer)))


def test_scripting_off_there_is_a_link_to_look_again(customer: Any, coins: CoinsFake) -> None:
    payment = a_payment(customer)
    assert page_of(payment).count(
        f'<noscript><p><a class="button quiet" href="/pay/{payment.uid}/"'
    )


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("method", ["crypto", "stripe", "wallet"])
def test_every_text_can_be_translated(
    status: str, method: str, customer: Any, coins: CoinsFake, foreign: None
) -> None:
    error = {"code": "card_declined", "message": "Your card was declined."}
    reason = Reason.LATE if status == Status.REVIEW else ""
    payment = a_payment(customer, method, last_error=error)
    assert untranslated(page_of(stamped(payment, status=status, reason=reason))) == []


def test_only_our_own_files_are_loaded(customer: Any, coins: CoinsFake) -> None:
    answer = see(a_payment(customer))
    ours = [link for link in Page(answer.content.decode()).links if link.startswith("/static/")]
    assert ours == ["/static/souk/souk.css", "/static/souk/souk.js", "/static/payments/pay.js"]
    assert "stripe.com" not in answer["Content-Security-Policy"]
    assert "style=" not in answer.content.decode()


# Cards.


def order_of(api: Any) -> Any:
    return place(api, (ProductFactory(stock=3).slug, 1))


def card(payment: Any, name: str, client: Client | None = None) -> Any:
    return (client or Client()).post(f"/pay/{payment['id']}/card/", {"card": name})


def test_a_test_card_pays(api: Any, sandbox: Any, drain: Callable[..., int]) -> None:
    payment = order_of(api)["payment"]
    assert "Visa 4242, which is accepted" in said(page_of(payment))
    answer = card(payment, "pm_card_visa")
    assert (answer.status_code, answer["Location"]) == (302, f"/pay/{payment['id']}/")
    assert "Your bank is deciding" in said(page_of(payment))
    drain()
    assert "Paid. Thank you!" in said(page_of(payment))
    assert get_payment(api, payment)["status"] == "succeeded"


def test_a_declined_card_is_named_and_another_one_may_be_tried(
    api: Any, sandbox: Any, drain: Callable[..., int]
) -> None:
    payment = order_of(api)["payment"]
    card(payment, "pm_card_chargeDeclinedInsufficientFunds")
    page = page_of(payment)
    assert "Your card has insufficient funds." in said(page)
    assert "Nothing was charged" in said(page)
    card(payment, "pm_card_visa")
    drain()
    assert "Paid. Thank you!" in said(page_of(payment))


def test_three_d_secure_leads_to_the_banks_page(api: Any, sandbox: Any) -> None:
    payment = order_of(api)["payment"]
    card(payment, "pm_card_threeDSecure2Required")
    page = page_of(payment)
    assert any(f"{sandbox.url}/authenticate/pi_" in link for link in Page(page).links)


def test_what_is_no_test_card_is_refused_and_the_form_comes_again(api: Any, sandbox: Any) -> None:
    payment = order_of(api)["payment"]
    for name in ("pm_1NoTestCard", "", "pm_card_visa\x00"):
        answer = card(payment, name)
        assert answer.status_code == 400
        assert "Choose one of these cards." in said(answer.content.decode())


def test_a_second_card_while_the_first_is_decided_is_told_so(api: Any, sandbox: Any) -> None:
    payment = order_of(api)["payment"]
    assert confirm(api, payment).status_code == 202
    answer = card(payment, "pm_card_visa")
    assert answer.status_code == 409
    assert "cannot become processing" in said(answer.content.decode())


def test_a_form_of_another_site_is_refused(api: Any, sandbox: Any) -> None:
    payment = order_of(api)["payment"]
    assert card(payment, "pm_card_visa", Client(enforce_csrf_checks=True)).status_code == 403
    assert get_payment(api, payment)["status"] == "awaiting"


@pytest.fixture
def typed(settings: Any, customer: Any) -> Payment:
    """A payment of a shop with Stripe's own keys."""
    settings.STRIPE_SANDBOX = False
    settings.STRIPE_PUBLISHABLE_KEY = "pk_test_ours"
    payment = a_payment(customer, "stripe")
    StripeIntent.objects.create(
        payment=payment, intent_id="pi_1", client_secret="pi_1_secret_x", status="x"
    )
    return payment


def test_with_a_publishable_key_the_card_is_typed_into_stripes_own_form(typed: Payment) -> None:
    answer = see(typed)
    page = answer.content.decode()
    assert 'data-key="pk_test_ours" data-secret="pi_1_secret_x"' in page
    assert Page(page).links.count("https://js.stripe.com/v3/") == 1
    assert "test card" not in said(page).lower()
    policy = dict(part.split(" ", 1) for part in answer["Content-Security-Policy"].split("; "))
    foreign = {word for value in policy.values() for word in value.split() if "://" in word}
    assert foreign
    assert all(
        word.removeprefix("https://").split("/")[0].endswith("stripe.com") for word in foreign
    )
    assert "unsafe" not in policy["script-src"]


def test_a_test_card_is_no_way_in_where_real_ones_are_taken(typed: Payment) -> None:
    assert card({"id": typed.uid}, "pm_card_visa").status_code == 404


def test_the_policy_is_wide_only_while_a_card_is_awaited(typed: Payment) -> None:
    stamped(typed, status=Status.SUCCEEDED)
    assert "stripe.com" not in see(typed)["Content-Security-Policy"]


def test_the_api_names_the_page(api: Any, no_stripe: None, settings: Any) -> None:
    settings.PUBLIC_URL = "https://shop.example.org"
    payment = order_of(api)["payment"]
    assert payment["page"] == f"https://shop.example.org/pay/{payment['id']}/"
