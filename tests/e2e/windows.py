"""Browser windows that somebody looks at the embedded shop with."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".ci"))

import browser as ours  # found by the line above

PASSWORD = "correct-horse-battery-9"
PHONE = {"width": 360, "height": 780}
DESKTOP = {"width": 1280, "height": 860}
# Long enough for a slow machine; nothing waits for it that comes at once.
PATIENCE = 120_000


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=ours.chromium(), args=list(ours.FLAGS))
        yield made
        made.close()


class Window:
    """One person's browser: its page, and what it complained of or asked other hosts for."""

    def __init__(self, browser: Browser, base: str, **how: Any) -> None:
        how = {"viewport": DESKTOP, "locale": "en-US", **how}
        self.base = base
        self.context: BrowserContext = browser.new_context(base_url=base, **how)
        self.context.set_default_timeout(PATIENCE)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.bytes: dict[str, int] = {}
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)

    def _heard(self, message: Any) -> None:
        # A refused form answers 4xx on purpose.
        if message.type == "error" and "status of 4" not in message.text:
            self.complaints.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.base, "data:")):
            self.complaints.append(f"asked {request.url}")

    def _answered(self, response: Any) -> None:
        # Not a stream's: it has no end.
        if "/stream/" not in response.url and response.ok:
            self.bytes[response.url] = int(response.headers.get("content-length", "0"))

    def go(self, path: str) -> Page:
        self.page.goto(path)
        return self.page

    def register(self, name: str) -> None:
        self.go("/account/register/")
        self.page.fill("#id_email", f"{name}@example.org")
        self.page.fill("#id_password", PASSWORD)
        self.page.click("text=Make my account")
        self.page.get_by_role("button", name="Sign out").wait_for()

    def pay_in(self, dollars: str) -> None:
        self.go("/wallet/")
        self.page.fill("#id_amount", dollars)
        self.page.get_by_role("button", name="Pay in").click()
        self.pay_by_card()

    def pay_by_card(self, card: str = "Visa 4242") -> None:
        """On a payment's page, until it says that the money is there."""
        self.page.get_by_label(card).check()
        self.page.get_by_role("button", name="Pay now").click()
        self.page.get_by_role("heading", name="Paid. Thank you!").wait_for()

    def close(self) -> None:
        self.context.close()
