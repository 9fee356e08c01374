"""Coins and the waiting room in Chromium: ordered, paid on the mock chain, queued for."""

import re
from typing import Any

import pytest

from tests.e2e.looking import Open, plan_sale, serious, units
from tests.e2e.shop import Shop
from tests.e2e.windows import PHONE, Window

pytestmark = pytest.mark.timeout(900)

# As long as six blocks of the mock chain take on a slow machine.
CHAIN_PATIENCE = 120_000
WRONG = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAee"
RIGHT = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


def choose_coins(page: Any, token: str) -> None:
    page.get_by_label("Coins", exact=True).check()
    page.get_by_label(re.compile(f"1 {token} =")).check()


def send(shop: Shop, page: Any) -> None:
    """What the page asks for, from a wallet as `make wallet` prints it."""
    [amount, address] = page.locator(".copy code").all_inner_texts()
    key = re.findall(r"private key +(0x[0-9a-f]{64})", shop.manage("chain_wallet"))[0]
    chain = {"CHAIN_RPC_URL": f"http://127.0.0.1:{shop.port}/mockchain/", "CHAIN_ID": "31337"}
    shop.manage("chain_pay", "--key", key, "--to", address, "--amount", amount, **chain)


def test_coins_buy_and_their_confirmations_are_seen_to_arrive(window: Open, shop: Shop) -> None:
    one = window(viewport=PHONE)
    one.register("miner")
    page = one.go("/p/lamp/")
    # The tokens are asked about only where coins are chosen.
    assert not page.get_by_label(re.compile("1 ETH =")).is_visible()
    choose_coins(page, "ETH")
    # More than 100 USD: six confirmations.
    page.fill("#id_quantity", "3")
    page.fill("#id_refund_address", RIGHT)
    page.get_by_role("button", name="Buy", exact=True).click()
    page.wait_for_url("**/pay/**")
    page.get_by_role("heading", name="Pay with ETH").wait_for()
    send(shop, page)
    page.get_by_role("heading", name="Your coins are on their way").wait_for(timeout=CHAIN_PATIENCE)
    page.evaluate("""() => {
        window.seen = new Set();
        setInterval(() => {
            const bar = document.querySelector("progress");
            if (bar) window.seen.add(bar.value);
        }, 100);
    }""")
    page.get_by_role("heading", name="Paid. Thank you!").wait_for(timeout=CHAIN_PATIENCE)
    # The page was never left, and the bar has moved.
    assert len(page.evaluate("[...window.seen]")) >= 2
    page = one.go("/purchases/")
    assert page.get_by_text("3 × Lamp").count() == 1
    assert page.locator(".badge.good", has_text="Paid").count() == 1


def test_with_scripting_off_coins_are_chosen_and_a_mistake_costs_nothing(window: Open) -> None:
    one = window(java_script_enabled=False)
    one.register("plain")
    page = one.go("/p/lamp/")
    choose_coins(page, "USDC")
    page.fill("#id_refund_address", WRONG)
    page.get_by_role("button", name="Buy", exact=True).click()
    page.get_by_text("This is no address of the chain").wait_for()
    assert page.get_by_label("Coins", exact=True).is_checked()
    assert page.get_by_label(re.compile("1 USDC =")).is_checked()
    assert page.input_value("#id_refund_address") == WRONG
    page.fill("#id_refund_address", RIGHT)
    page.get_by_role("button", name="Buy", exact=True).click()
    page.get_by_role("heading", name="Pay with USDC").wait_for()
    page = one.go("/wallet/")
    choose_coins(page, "ETH")
    page.get_by_role("button", name="Pay in").click()
    page.get_by_role("heading", name="Pay with ETH").wait_for()


def test_axe_finds_nothing_serious_on_the_forms_of_coins(
    window: Open, shop: Shop, axe: str
) -> None:
    one, found = window(viewport=PHONE), {}
    one.register("axe")
    sale = plan_sale(shop, seconds=5)
    one.go(f"/flash/{sale}/").get_by_text("Open now").wait_for()
    for path, button in (
        ("/p/lamp/", "Buy"),
        (f"/flash/{sale}/", "Buy now"),
        ("/wallet/", "Pay in"),
    ):
        page = one.go(path)
        choose_coins(page, "USDC")
        found[path, "chosen"] = serious(page, axe)
        page.fill("#id_refund_address", WRONG)
        page.get_by_role("button", name=button, exact=True).click()
        page.get_by_text("This is no address of the chain").wait_for()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found[path, "wrong", scheme] = serious(page, axe)
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), path
    assert {where: rules for where, rules in found.items() if rules} == {}


def queue_up(shop: Shop, sale: str, people: list[str]) -> None:
    for access in people:
        shop.access = access
        assert shop.call("POST", f"flash-sales/{sale}/queue/", {})[0] == 200


def people(shop: Shop, name: str, count: int) -> list[str]:
    found = []
    for number in range(count):
        shop.register(f"{name}-{number}@example.org")
        found.append(shop.access)
    return found


def test_a_queue_moves_until_one_is_let_in_and_buys(window: Open, shop: Shop, axe: str) -> None:
    one, crowd = window(), people(shop, "crowd", 12)
    one.register("patient")
    sale = plan_sale(shop, seconds=5, admission_rate=1)
    queue_up(shop, sale, crowd)
    page = one.go(f"/flash/{sale}/")
    page.get_by_role("button", name="Take a place in the queue").click()
    page.get_by_role("heading", name="You are in the queue").wait_for()
    found = {"queue": serious(page, axe)}
    page.get_by_text("Open now").wait_for()
    page.evaluate("""() => {
        window.seen = new Set();
        const number = document.querySelector("[data-position]");
        if (number) new MutationObserver(() => window.seen.add(number.textContent))
            .observe(number, {childList: true});
        addEventListener("pagehide", () => sessionStorage.setItem("seen", window.seen.size));
    }""")
    page.get_by_role("heading", name="It is your turn").wait_for()
    # Pushed, without a page in between.
    assert int(page.evaluate("sessionStorage.getItem('seen')")) >= 2
    found["turn"] = serious(page, axe)
    page.get_by_role("button", name="Buy now").click()
    page.wait_for_url("**/pay/**")
    assert found == {"queue": [], "turn": []}


def test_with_scripting_off_the_queue_moves_by_its_link(window: Open, shop: Shop) -> None:
    one, crowd = window(java_script_enabled=False), people(shop, "calm", 4)
    one.register("calm")
    sale = plan_sale(shop, seconds=5, admission_rate=1)
    page = one.go(f"/flash/{sale}/")
    for _ in range(40):
        if page.get_by_text("Open now").count():
            break
        page.wait_for_timeout(250)
        page.reload()
    queue_up(shop, sale, crowd)
    page.get_by_role("button", name="Take a place in the queue").click()
    for _ in range(60):
        if page.get_by_role("heading", name="It is your turn").count():
            break
        page.wait_for_timeout(250)
        page.get_by_role("link", name="Look for news").click()
    page.get_by_role("button", name="Buy now").click()
    page.get_by_role("heading", name="Pay by card").wait_for()


def test_a_sale_sells_out_in_two_windows_that_nobody_touches(window: Open, shop: Shop) -> None:
    buyer, watchers = window(), [window(), window(viewport=PHONE)]
    sale = plan_sale(shop, seconds=5)
    pages = [watched(each, sale) for each in watchers]
    buyer.register("both")
    buyer.go(f"/flash/{sale}/")
    buyer.page.fill("#id_quantity", "2")
    buyer.page.get_by_role("button", name="Buy now").click()
    buyer.page.wait_for_url("**/pay/**")
    for page in pages:
        page.wait_for_function(units("remaining", "0"))
        page.wait_for_function(units("held", "2"))
        assert page.evaluate("window.untouched")
        assert page.locator("meter").evaluate("(meter) => meter.value") == 0


def watched(one: Window, sale: str) -> Any:
    page = one.go(f"/flash/{sale}/")
    page.get_by_text("Open now").wait_for()
    assert page.locator("[data-units=remaining]").first.inner_text() == "2"
    # Who is about to buy is not interrupted: the figures move, the page stays. None of them polls.
    page.focus("#id_quantity")
    page.evaluate("window.untouched = true")
    page.route("**/stock/", lambda route: route.abort())
    return page
