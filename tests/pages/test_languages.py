"""Pages in the reader's language; everything else in English."""

from typing import Any

import pytest
from django.test import Client

from tests.factories.flash import live_run
from tests.factories.orders import own_rollbacks, settled
from tests.factories.shop import ProductFactory
from tests.pages.reading import said

__all__ = ["own_rollbacks", "settled"]

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox"),
]


def german(path: str, client: Client | None = None) -> Any:
    return (client or Client()).get(path, headers={"accept-language": "de-AT,de;q=0.9,en;q=0.5"})


def test_a_page_speaks_german_to_who_asks_for_it() -> None:
    answer = german("/")
    page = answer.content.decode()
    assert '<html lang="de">' in page
    assert "Gute Dinge, und nie eines zu viel verkauft" in said(page)
    assert answer["Content-Language"] == "de"


@pytest.mark.parametrize("wish", ["", "fr", "en-GB,de;q=0.5", "xx-!!", "*"])
def test_everybody_else_reads_english(wish: str) -> None:
    answer = Client().get("/", headers={"accept-language": wish} if wish else {})
    page = answer.content.decode()
    assert '<html lang="en">' in page
    assert "Good things, and never one too many sold" in said(page)


def test_no_cache_gives_one_persons_language_to_another() -> None:
    for path in ("/", "/products/", "/account/sign-in/"):
        vary = {name.strip() for name in german(path)["Vary"].split(",")}
        assert {"Cookie", "Accept-Language"} <= vary, path


def test_the_choice_is_kept_and_leads_back_to_the_page() -> None:
    client = Client()
    path = "/products/?q=lamp&page=1"
    assert 'value="/products/?q=lamp&amp;page=1"' in client.get(path).content.decode()
    answer = client.post("/language/", {"language": "de", "next": path})
    assert (answer.status_code, answer["Location"]) == (302, path)
    cookie = answer.cookies["django_language"]
    assert (cookie.value, cookie["httponly"], cookie["samesite"]) == ("de", True, "Lax")
    assert '<html lang="de">' in client.get(path).content.decode()
    client.post("/language/", {"language": "en", "next": "/"})
    # What was chosen beats what the browser says.
    assert '<html lang="en">' in german("/", client).content.decode()


@pytest.mark.parametrize("where", ["https://evil.example/", "//evil.example", "javascript:1"])
def test_the_choice_of_a_language_leads_nowhere_else(where: str) -> None:
    answer = Client().post("/language/", {"language": "de", "next": where})
    assert answer["Location"] == "/"


def test_a_language_that_there_is_not_changes_nothing() -> None:
    client = Client()
    client.post("/language/", {"language": "xx", "next": "/"})
    assert '<html lang="en">' in client.get("/").content.decode()


def test_a_first_visit_sets_no_cookie() -> None:
    assert not german("/").cookies


@pytest.mark.parametrize("path", ["/api/v1/products/nothing/", "/api/v1/orders/"])
def test_programs_read_english_whoever_was_here_before(path: str) -> None:
    client, before = Client(), Client().get(path)
    german("/", client)
    client.cookies["django_language"] = "de"
    answer = german(path, client)
    told = {**answer.json(), "instance": "", "request_id": ""}
    assert told == {**before.json(), "instance": "", "request_id": ""}
    assert "Content-Language" not in answer.headers
    assert "Accept-Language" not in answer.headers.get("Vary", "")


def test_a_wrong_field_is_told_to_a_program_in_english(api: Any) -> None:
    german("/")
    answer = api.post("/api/v1/orders/", {}, format="json", headers={"accept-language": "de"})
    assert "This field is required." in answer.content.decode()


def test_staff_work_in_english() -> None:
    page = german("/admin/login/").content.decode()
    assert "Anmelden" not in page


def test_what_is_refused_is_refused_in_german(customer: Any) -> None:
    client = Client(headers={"accept-language": "de"})
    client.force_login(customer)
    path = f"/p/{ProductFactory(stock=2).slug}/"
    answer = client.post(f"{path}buy/", {"quantity": 3, "method": "wallet"})
    assert "So viele sind nicht mehr da" in said(answer.content.decode())
    answer = client.post(f"{path}buy/", {"quantity": "", "method": "wallet"})
    assert "Dieses Feld ist zwingend erforderlich." in said(answer.content.decode())


def test_numbers_for_machines_have_no_german_comma(customer: Any) -> None:
    """In forms, in drawings, and in what scripts read."""
    run = live_run(units=3, price=550)
    client = Client(headers={"accept-language": "de"})
    client.force_login(customer)
    for path in ("/", f"/flash/{run.sale.slug}/", f"/p/{run.sale.product.slug}/", "/wallet/"):
        answer = client.get(path)
        assert answer.status_code == 200
    assert 'step="0.01"' in answer.content.decode()
    posted = client.post("/wallet/", {"amount": "25.50", "method": "stripe"})
    assert posted["Location"].startswith("/pay/")
