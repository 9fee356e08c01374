"""`make screenshots`: the pictures of docs/images, of a shop that was just started."""

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.e2e.shop import Shop
from tests.e2e.windows import DESKTOP, PHONE, Window, chromium

DASHBOARD = "/admin/dashboard/"
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"


def take(browser: Any, base: str) -> None:
    how = {"device_scale_factor": 1}
    desktop = Window(browser, base, viewport=DESKTOP, color_scheme="light", **how)
    dark = Window(browser, base, viewport=DESKTOP, color_scheme="dark", **how)
    phone = Window(browser, base, viewport=PHONE, color_scheme="light", **how)
    for window, name in ((desktop, "home"), (dark, "home-dark"), (phone, "home-phone")):
        window.go("/").wait_for_timeout(800)
        window.page.screenshot(path=str(IMAGES / f"{name}.png"))
    desktop.go("/p/lamp/?token=ETH")
    desktop.page.screenshot(path=str(IMAGES / "product.png"))
    phone.register("picture")
    page = phone.go("/p/lamp/")
    page.get_by_role("button", name="Buy", exact=True).click()
    page.wait_for_url("**/pay/**")
    page.screenshot(path=str(IMAGES / "pay-phone.png"))


def take_staff(browser: Any, base: str) -> None:
    """The demo's sales of three months, once the shop's worker has counted them."""
    known = Window(browser, base)
    page = known.go(f"/admin/login/?next={DASHBOARD}")
    page.fill("#id_username", "testuser")
    page.fill("#id_password", "password123")
    page.click("input[type=submit]")
    while page.locator(".dash-sums dd").nth(1).inner_text() == "0":
        page.wait_for_timeout(3000)
        page.reload()
    since = (datetime.now(UTC) - timedelta(days=89)).date()
    how = {"device_scale_factor": 1, "storage_state": known.context.storage_state()}
    for name, scheme, size in (
        ("dashboard", "light", DESKTOP),
        ("dashboard-dark", "dark", DESKTOP),
        ("dashboard-phone", "light", PHONE),
    ):
        window = Window(browser, base, viewport=size, color_scheme=scheme, **how)
        window.go(f"{DASHBOARD}?from={since}&granularity=week").wait_for_timeout(800)
        window.page.screenshot(path=str(IMAGES / f"{name}.png"))
    page = Window(browser, base, viewport=DESKTOP, **how).go(f"{DASHBOARD}products/lamp/")
    page.screenshot(path=str(IMAGES / "dashboard-product.png"))


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        try:
            with chromium() as browser:
                take(browser, f"http://127.0.0.1:{shop.port}")
                take_staff(browser, f"http://127.0.0.1:{shop.port}")
        finally:
            shop.interrupt()
    return 0


if __name__ == "__main__":
    sys.exit(main())
