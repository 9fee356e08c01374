"""The shop's face in Chromium, while a flash sale opens."""

import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from dashboards.store import FRESH_SECONDS
from tests.e2e.looking import Open, plan_sale
from tests.e2e.shop import Shop

pytestmark = pytest.mark.timeout(240)

AHEAD = 6


def only_sale(shop: Shop, seconds: float) -> None:
    """A sale that opens so long after figures are read that have it; the page shows the first."""
    shop.sign_in("testuser", "password123")
    for sale in shop.get("flash-sales/?page_size=100")["results"]:
        shop.call("POST", f"admin/flash-sales/{sale['slug']}/end/")
    read = datetime.fromisoformat(shop.get("dashboard/")["as_of"])
    kept = FRESH_SECONDS - (datetime.now(UTC) - read).total_seconds()
    slug = plan_sale(shop, seconds=kept + seconds)
    while slug not in [sale["slug"] for sale in shop.get("dashboard/")["flash_sales"]]:
        time.sleep(0.2)


def test_the_face_of_the_shop_turns_while_older_figures_are_kept(window: Open, shop: Shop) -> None:
    only_sale(shop, AHEAD)
    page = window().go("/")
    page.get_by_text("Flash sale, soon").wait_for()
    page.get_by_text("Flash sale, now").wait_for(timeout=60_000)
    assert page.locator("[data-units=remaining]").first.inner_text() == "2"


def test_a_page_that_came_a_moment_too_early_asks_again(window: Open, shop: Shop) -> None:
    only_sale(shop, 7200)
    page, asked = window().page, []

    def early(route: Any) -> None:
        asked.append(1)
        answer = route.fetch()
        # The first answer is of the moment just before the start.
        body = re.sub(
            r'data-countdown="\d+" data-reload', 'data-countdown="0" data-reload', answer.text()
        )
        route.fulfill(response=answer, body=body if len(asked) == 1 else answer.text())

    page.route(re.compile(r"/$"), early)
    page.goto("/")
    page.get_by_text(re.compile(r"^0[12]:\d\d:\d\d$")).wait_for()
    assert len(asked) == 2
