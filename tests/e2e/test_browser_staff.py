"""The staff's page in Chromium: a price changed from its figure, what it did, and axe."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.looking import Open, serious
from tests.e2e.shop import Shop
from tests.e2e.windows import DESKTOP, PHONE, Window

pytestmark = pytest.mark.timeout(900)

PAGE = "/admin/dashboard/"
WIDE = "document.documentElement.scrollWidth > innerWidth"


def sign_in(window: Window) -> Window:
    page = window.go(f"/admin/login/?next={PAGE}")
    page.fill("#id_username", "testuser")
    page.fill("#id_password", "password123")
    page.click("input[type=submit]")
    page.get_by_role("heading", name="At a glance").wait_for()
    return window


@pytest.fixture(scope="module")
def member(shop: Shop, browser: Any) -> Any:
    one = sign_in(Window(browser, f"http://127.0.0.1:{shop.port}"))
    cookies = one.context.storage_state()
    one.close()
    return cookies


def test_a_price_is_changed_from_its_figure_and_its_effect_is_shown(
    window: Open, member: Any
) -> None:
    """The demo's customers have bought chairs in the last fourteen days."""
    page = window(storage_state=member, java_script_enabled=False).go(PAGE)
    page.get_by_role("link", name="Open Chair", exact=False).first.click()
    page.fill("#id_price", "0")
    page.fill("#id_description", "Oak, with a woven seat.")
    page.get_by_role("button", name="Save the new terms").click()
    assert "greater than or equal to 0.01" in page.locator("#id_price_wrong").inner_text()
    assert page.input_value("#id_description") == "Oak, with a woven seat."
    page.fill("#id_price", "55.50")
    page.get_by_role("button", name="Save the new terms").click()
    page.get_by_text("has its new terms").wait_for()
    row = page.locator("#product tbody tr").first
    assert "$55.50" in row.inner_text()
    before, after = row.locator("td").nth(3).inner_text(), row.locator("td").nth(4).inner_text()
    # Six and one chair in the days before; of the minutes after nothing can be said yet.
    assert float(before.split()[0]) > 0
    assert "7 in 14.0 days" in before or "7 in 14.1 days" in before
    assert "too early to tell" in after
    page.goto(PAGE)
    assert "$55.50" in page.locator("h2#changes ~ .scroll").first.inner_text()


def test_the_public_page_sells_at_the_new_price_at_once(window: Open, member: Any) -> None:
    page = window(storage_state=member).go(f"{PAGE}products/lamp/")
    page.fill("#id_price", "61.25")
    page.get_by_role("button", name="Save the new terms").click()
    page.get_by_text("has its new terms").wait_for()
    assert "61.25" in window().go("/p/lamp/").locator("main").inner_text()
    page.fill("#id_delta", "5")
    page.fill("#id_reason", "received")
    page.get_by_role("button", name="Change the stock").click()
    page.get_by_text("+5").first.wait_for()


def test_a_figure_leads_to_its_rows(window: Open, member: Any) -> None:
    until = datetime.now(UTC).date()
    since = until - timedelta(days=89)
    page = window(storage_state=member).go(f"{PAGE}?from={since}&to={until}&granularity=week")
    # Counted by the shop's own worker.
    link = page.locator(".dash-sums dd a").nth(1)
    orders = int(link.inner_text())
    assert orders >= 9
    link.click()
    assert f"{orders} orders" in page.locator(".paginator").inner_text()


def test_axe_finds_nothing_serious_and_nothing_scrolls_sideways(
    window: Open, member: Any, axe: str
) -> None:
    found, wide = {}, []
    for path in (PAGE, f"{PAGE}products/lamp/", f"{PAGE}?from=2026-02-02&to=2026-02-01"):
        # Windows of their own: the admin's links fade from one scheme's colour to the other's.
        for scheme in ("light", "dark"):
            one = window(storage_state=member, viewport=PHONE, color_scheme=scheme)
            page = one.go(path)
            page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
            assert one.complaints == []
            found[path, scheme] = serious(page, axe)
            # The policy refuses the styles that axe tries things out with.
            one.complaints.clear()
        for width in (320, PHONE["width"], 768, DESKTOP["width"]):
            page.set_viewport_size({"width": width, "height": 700})
            wide += [(path, width)] if page.evaluate(WIDE) else []
    assert {where: rules for where, rules in found.items() if rules} == {}
    assert wide == []
