"""The whole shop in Chromium: bought from by card and wallet, watched from two windows, looked at
by axe, and used with scripting off.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.looking import Open, plan_sale, serious, units
from tests.e2e.shop import Shop
from tests.e2e.windows import DESKTOP, PHONE, Window

pytestmark = pytest.mark.timeout(900)


def test_a_sale_sells_out_before_the_eyes_of_somebody_else(window: Open, shop: Shop) -> None:
    buyer, watcher = window(), window()
    buyer.register("quick")
    buyer.pay_in("50")
    sale = plan_sale(shop, seconds=6)
    watcher.go(f"/flash/{sale}/")
    watcher.page.get_by_text("Opens in").wait_for()
    # The page turns by itself when the sale opens.
    watcher.page.get_by_text("Open now").wait_for()
    assert watcher.page.locator("[data-units=remaining]").first.inner_text() == "2"
    buyer.go(f"/flash/{sale}/")
    buyer.page.fill("#id_quantity", "1")
    buyer.page.get_by_label("Card").check()
    buyer.page.get_by_role("button", name="Buy now").click()
    buyer.page.wait_for_url("**/pay/**")
    watcher.page.wait_for_function(units("remaining", "1"))
    buyer.go(f"/flash/{sale}/")
    buyer.page.get_by_label("Wallet").check()
    buyer.page.get_by_role("button", name="Buy now").click()
    buyer.page.get_by_text("Delivered").or_(buyer.page.get_by_text("Paid")).first.wait_for()
    watcher.page.get_by_text("Sold out for now").wait_for()
    assert watcher.page.locator("[data-units=held]").inner_text() == "1"
    assert watcher.page.get_by_role("button", name="Sign in and buy").count() == 0
    leader = watcher.page.get_by_role("cell", name="shopper-")
    for _ in range(30):  # a position is given once no earlier payment can come in
        watcher.page.reload()
        if leader.count():
            break
        watcher.page.wait_for_timeout(500)
    assert leader.count() == 1


def test_a_visitor_registers_and_buys_by_card_without_losing_the_choice(window: Open) -> None:
    one = window(viewport=PHONE)
    page = one.go("/")
    page.get_by_role("link", name="Lamp").last.click()
    page.fill("#id_quantity", "2")
    page.get_by_role("button", name="Sign in and buy").click()
    page.get_by_role("link", name="Register").last.click()
    page.fill("#id_email", "visitor@example.org")
    page.fill("#id_password", "correct-horse-battery-9")
    page.click("text=Make my account")
    assert page.input_value("#id_quantity") == "2"
    page.get_by_role("button", name="Buy", exact=True).click()
    page.wait_for_url("**/pay/**")
    page.get_by_label("Visa 0002").check()
    page.get_by_role("button", name="Pay now").click()
    page.get_by_text("The last card was declined").wait_for()
    one.pay_by_card()
    page = one.go("/purchases/")
    assert page.get_by_text("2 × Lamp").count() == 1
    assert page.locator(".badge.good", has_text="Paid").count() == 1


def test_a_wallet_buys_at_once(window: Open) -> None:
    one = window()
    one.register("saver")
    one.pay_in("1000")
    page = one.go("/p/chair/")
    page.get_by_label("Wallet").check()
    page.get_by_role("button", name="Buy", exact=True).click()
    page.wait_for_url("**/purchases/**")
    assert page.locator(".badge.good", has_text="Paid").count() == 1


def test_with_scripting_off_everything_can_be_bought(window: Open) -> None:
    one = window(java_script_enabled=False)
    one.register("plain")
    page = one.go("/")
    assert page.get_by_role("heading", name="What people buy").count() == 1
    page = one.go("/p/lamp/")
    page.get_by_role("button", name="Buy", exact=True).click()
    page.get_by_label("Visa 4242").check()
    page.get_by_role("button", name="Pay now").click()
    for _ in range(40):
        if page.get_by_role("heading", name="Paid. Thank you!").count():
            break
        page.wait_for_timeout(250)
        page.get_by_role("link", name="Look for news").click()
    assert page.get_by_role("heading", name="Paid. Thank you!").count() == 1


PAGES = ["/", "/products/", "/p/lamp/?token=ETH", "/flash/lamp-flash/", "/account/sign-in/"]
PAGES += ["/account/register/", "/p/nothing/"]
OWN = ["/purchases/", "/wallet/", "PAY", "ORDER"]


@pytest.fixture(scope="module")
def member(shop: Shop, browser: Any) -> tuple[Any, list[str]]:
    """The cookies of somebody who has an unpaid order, and the address of every page there is."""
    one = Window(browser, f"http://127.0.0.1:{shop.port}")
    one.register("member")
    page = one.go("/p/lamp/")
    page.get_by_role("button", name="Buy", exact=True).click()
    page.wait_for_url("**/pay/**")
    paying = page.url.removeprefix(one.base)
    number = one.go("/purchases/").locator("article h2 a").first.get_attribute("href") or ""
    cookies = one.context.storage_state()
    one.close()
    found = {"PAY": paying, "ORDER": number}
    return cookies, [found.get(path, path) for path in (*PAGES, *OWN)]


def test_axe_finds_nothing_serious_on_any_page_by_day_and_by_night(
    window: Open, member: Any, axe: str
) -> None:
    cookies, paths = member
    known, stranger, found = window(storage_state=cookies, viewport=PHONE), window(), {}
    theirs = ["/", "/p/lamp/?token=ETH", *paths[len(PAGES) :]]
    for who, path in [*((known, path) for path in theirs), *((stranger, path) for path in PAGES)]:
        page = who.go(path)
        found[path, "light", who is known] = serious(page, axe)
        # By night nothing but the colours differs.
        page.emulate_media(color_scheme="dark")
        found[path, "dark", who is known] = serious(page, axe, "color-contrast")
    assert len(found) == 2 * (len(theirs) + len(PAGES)) >= 26
    assert {where: rules for where, rules in found.items() if rules} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_control_axe_sees_what_nobody_can_read(scheme: Any, window: Open, axe: str) -> None:
    page = window(color_scheme=scheme).go("/")
    page.evaluate("document.documentElement.style.setProperty('--soft', '#888')")
    page.evaluate("document.documentElement.style.setProperty('--paper', '#999')")
    page.evaluate("document.querySelectorAll('img').forEach((img) => img.removeAttribute('alt'))")
    found = " ".join(serious(page, axe))
    assert "image-alt" in found
    assert "color-contrast" in found


WIDE = "document.documentElement.scrollWidth > innerWidth"


def test_no_page_scrolls_sideways(window: Open, member: Any) -> None:
    """WCAG 1.4.10: 320 CSS pixels are enough."""
    cookies, paths = member
    one, too_wide = window(storage_state=cookies), []
    for path in paths:
        page = one.go(path)
        for width in (320, PHONE["width"], 768, DESKTOP["width"]):
            page.set_viewport_size({"width": width, "height": 700})
            too_wide += [(path, width)] if page.evaluate(WIDE) else []
    assert too_wide == []


def test_a_first_visit_asks_for_less_than_150_kilobytes_and_for_nothing_elsewhere(
    window: Open,
) -> None:
    one = window()
    one.go("/").wait_for_timeout(1000)
    assert len(one.bytes) >= 6
    assert sum(one.bytes.values()) < 150_000, one.bytes


def test_everything_is_reached_by_keyboard(window: Open) -> None:
    page = window().go("/p/lamp/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reached = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.name || document.activeElement.tagName"))
    assert {"quantity", "method", "BUTTON", "token", "SUMMARY"} <= reached


def staff_window(window: Open, **how: Any) -> Any:
    page = window(**how).go("/admin/login/?next=/admin/")
    page.fill("#id_username", "testuser")
    page.fill("#id_password", "password123")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Import products").wait_for()
    return page


def csv_file(folder: Path, price: str) -> str:
    path = folder / "goods.csv"
    text = f'sku,name,description,price,on_hand\nBR-1,=1+1,"Of tin, old.",{price},4\n'
    path.write_text(text)
    return str(path)


def test_staff_import_a_file_and_take_one_away_with_scripting_off(
    window: Open, tmp_path: Path
) -> None:
    page = staff_window(window, java_script_enabled=False)
    page.get_by_role("link", name="Import products").click()
    page.set_input_files("#id_file", csv_file(tmp_path, "free"))
    page.get_by_role("button", name="Check the file").click()
    page.get_by_role("heading", name="1 mistake, nothing was imported").wait_for()
    assert page.get_by_role("row").nth(1).inner_text().split()[:2] == ["2", "price"]
    page.set_input_files("#id_file", csv_file(tmp_path, "5.00"))
    page.get_by_role("button", name="Check the file").click()
    page.get_by_text("Nothing has been written").wait_for()
    page.get_by_role("button", name="Import now").click()
    page.get_by_text("This is what the file has done").wait_for()
    page.goto("/admin/exports/")
    page.select_option("#id_kind", "products")
    page.get_by_role("button", name="Make the file").click()
    for _ in range(60):
        if page.get_by_role("link", name="Download").count():
            break
        page.wait_for_timeout(250)
        page.get_by_role("link", name="Look again").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    text = Path(download.value.path()).read_text("utf-8-sig")
    # What was words stays words, wherever it is opened.
    assert '\nBR-1,11,\'=1+1,"Of tin, old.",,5.00,' in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_pages_of_files(
    window: Open, axe: str, tmp_path: Path, scheme: Any
) -> None:
    page, found = staff_window(window, color_scheme=scheme), {}
    page.goto("/admin/import/")
    for price in ("free", "6.00"):
        page.set_input_files("#id_file", csv_file(tmp_path, price))
        page.get_by_role("button", name="Check the file").click()
        page.locator(".souk-page table").first.wait_for()
        found[price] = serious(page, axe)
    page.goto("/admin/exports/")
    page.get_by_role("button", name="Make the file").click()
    page.get_by_text("say from when to when").wait_for()
    found["exports"] = serious(page, axe)
    page.select_option("#id_kind", "stock")
    page.get_by_role("button", name="Make the file").click()
    page.get_by_role("link", name="All exports").wait_for()
    found["export"] = serious(page, axe)
    assert {where: rules for where, rules in found.items() if rules} == {}
