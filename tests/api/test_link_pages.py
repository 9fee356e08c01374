"""The pages behind mailed links, and every text of pages, mails and the admin's sign-in form."""

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import translation

from accounts.credentials import gateway
from tests.factories.shop import ProductFactory
from tests.factories.users import SuperuserFactory, UserFactory

pytestmark = pytest.mark.django_db

PAGES = {
    "/account/reset/": "/api/v1/auth/password/reset/confirm/",
    "/account/verify/": "/api/v1/auth/email/verify/",
}
# What is shown to people though it is no text of its own.
SHOWN = {"data-done", "data-failed", "placeholder", "title", "alt"}


class Texts(HTMLParser):
    """Every text of a page that a person can come to read."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.found += [data.strip()] if data.strip() else []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in SHOWN]


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    """A language in which every translated text stands in angle quotes."""
    monkeypatch.setattr(translation._trans, "gettext", lambda text: f"«{text}»")  # type: ignore[attr-defined]


def untranslated(page: str) -> list[str]:
    return [text for text in Texts(page).found if not (text[0] == "«" and text[-1] == "»")]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_sends_the_token_to_its_route_and_loads_our_own_files_only(path: str) -> None:
    answer = Client().get(path)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert f'action="{PAGES[path]}"' in page
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == [
        "/static/accounts/link.css",
        "/static/accounts/link.js",
    ]
    assert "no-store" in answer["Cache-Control"]
    assert Client().post(path).status_code == 405


@pytest.mark.parametrize("path", PAGES)
def test_every_text_of_a_page_can_be_translated(path: str, foreign: None) -> None:
    page = Client().get(path).content.decode()
    assert len(Texts(page).found) >= 5
    assert untranslated(page) == []


def test_control_a_text_outside_gettext_is_found(foreign: None) -> None:
    page = Client().get("/account/reset/").content.decode()
    assert untranslated(page.replace("«Set it»", "Set it")) == ["Set it"]


@pytest.mark.parametrize("name", ["reset", "verify"])
def test_every_text_of_a_mail_can_be_translated(name: str, foreign: None) -> None:
    joe = UserFactory()
    gateway.send(name, to=joe.email, user=joe, url="https://x.org/", token="a.b")
    sent = mail.outbox[0]
    assert sent.subject == f"Souk: «{gateway.SUBJECTS[name]}»"
    [(html, _)] = sent.alternatives  # type: ignore[attr-defined]
    assert untranslated(html) == []
    plain = re.sub(r"«[^»]*»", "", sent.body)
    assert plain.split() == ["https://x.org/", "a.b"]


def test_the_admins_sign_in_form_says_what_it_takes(foreign: None) -> None:
    form = Client().get("/admin/login/").content.decode()
    assert "«Email or username»" in form
    refused = Client().post("/admin/login/", {"username": "nobody", "password": "x"})
    assert "the email or username and the password" in unescape(refused.content.decode())


def test_the_price_history_in_the_admin_is_in_dollars() -> None:
    product = ProductFactory(list_price=123456)
    root: Any = Client()
    root.force_login(SuperuserFactory())
    page = root.get(f"/admin/shop/product/{product.pk}/change/").content.decode()
    assert page.count("$1,234.56") == 3
    assert "123456" not in page
    assert "$1,234.56" in root.get("/admin/shop/product/").content.decode()
