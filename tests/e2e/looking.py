"""What tests that look at the shop's pages share."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Error

from tests.e2e.shop import Shop
from tests.e2e.windows import Window

Open = Callable[..., Window]

RUN = """(rules) => axe.run(document, {
        resultTypes: ["violations"], ...(rules.length ? {runOnly: rules} : {}),
    }).then((found) => found.violations
    .filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => one.id + ": " + one.nodes.map((node) => node.html).join(" | ")))"""


def serious(page: Any, axe: str, *rules: str) -> Any:
    try:
        page.evaluate(axe)
        return page.evaluate(RUN, rules)
    except Error as gone:
        # A page that turns by itself may do so while it is looked at.
        if "context was destroyed" not in str(gone):
            raise
        page.wait_for_load_state()
        return serious(page, axe, *rules)


def plan_sale(shop: Shop, *, seconds: float, **more: Any) -> str:
    """A flash sale of two chairs that opens in so many seconds."""
    shop.sign_in("testuser", "password123")
    starts = datetime.now(UTC) + timedelta(seconds=seconds)
    body: dict[str, Any] = {
        "product": "chair",
        "price": "9.00",
        "allocation": 2,
        "starts_at": starts.isoformat(),
    }
    body |= more
    status, made = shop.call("POST", "admin/flash-sales/", body)
    assert status == 201, made
    slug: str = made["slug"]
    return slug


def units(name: str, expected: str) -> str:
    return f"document.querySelector('[data-units={name}]').textContent === '{expected}'"
