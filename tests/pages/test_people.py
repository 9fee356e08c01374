"""Registering, signing in and out: a session of Django's, and what is said when it fails."""

from typing import Any

import pytest
from django.test import Client

from tests.factories.users import PASSWORD, UserFactory
from tests.pages.reading import said

pytestmark = pytest.mark.django_db


def text(answer: Any) -> str:
    return said(answer.content.decode())


def test_a_visitor_registers_and_is_signed_in() -> None:
    client = Client()
    body = {"email": "Sam@Example.org", "password": PASSWORD, "username": "sam"}
    answer = client.post("/account/register/", body | {"next": "/products/"})
    assert (answer.status_code, answer["Location"]) == (302, "/products/")
    page = text(client.get("/products/"))
    assert "Welcome! Your account is made." in page
    assert "Sign out" in page


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"email": "nonsense"}, "Enter a valid email address."),
        ({"password": "123"}, "This password is too short"),
        ({"password": "password123"}, "This password is too common."),
        ({"username": "a b"}, "3 to 30 letters"),
        ({"email": "taken@example.org"}, "Somebody has registered with this e-mail address"),
        ({"username": "Taken"}, "Somebody else has this username."),
        ({"email": ""}, "This field is required."),
        ({"email": "a\x00b@example.org"}, "Null characters are not allowed."),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_but_the_password_is_lost(
    wrong: dict[str, str], expected: str
) -> None:
    UserFactory(email="taken@example.org", username="taken")
    body = {"email": "sam@example.org", "password": PASSWORD, "username": "sam"} | wrong
    answer = Client().post("/account/register/", body)
    assert answer.status_code == 400
    page = answer.content.decode()
    assert expected in said(page)
    assert f'aria-describedby="id_{next(iter(wrong))}_wrong"' in page
    kept = {k: v for k, v in body.items() if k != "password" and v and "\x00" not in v}
    assert all(f'value="{value}"' in page for value in kept.values())
    assert PASSWORD not in page


def test_signing_in_leads_back_and_signing_out_ends_it(customer: Any) -> None:
    client = Client()
    assert client.get("/purchases/")["Location"] == "/account/sign-in/?next=%2Fpurchases%2F"
    body = {"identifier": customer.email, "password": PASSWORD, "next": "/purchases/"}
    assert client.post("/account/sign-in/", body)["Location"] == "/purchases/"
    assert client.get("/purchases/").status_code == 200
    client.post("/account/sign-out/")
    assert client.get("/purchases/").status_code == 302


def test_a_wrong_password_is_told_like_an_unknown_person(customer: Any) -> None:
    answers = [
        Client().post("/account/sign-in/", {"identifier": who, "password": "wrong"})
        for who in (customer.email, "nobody@example.org")
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert all("do not belong together" in text(answer) for answer in answers)


def test_who_guesses_is_slowed_down(customer: Any) -> None:
    for _ in range(10):
        Client().post("/account/sign-in/", {"identifier": customer.email, "password": "wrong"})
    body = {"identifier": customer.email, "password": PASSWORD}
    answer = Client().post("/account/sign-in/", body)
    assert answer.status_code == 429
    assert "Too many attempts" in text(answer)


@pytest.mark.parametrize(
    "where", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "\\\\evil"]
)
def test_nobody_is_led_elsewhere_after_signing_in(where: str, customer: Any) -> None:
    body = {"identifier": customer.email, "password": PASSWORD, "next": where}
    assert Client().post("/account/sign-in/", body)["Location"] == "/"


def test_a_session_of_a_page_is_no_way_into_the_api(customer: Any) -> None:
    member = Client()
    member.force_login(customer)
    assert member.get("/api/v1/orders/").status_code == 401
