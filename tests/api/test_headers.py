"""What every answer tells the browser: load nothing foreign, frame nothing, keep nothing."""

import re
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db

PAGES = ["/", "/livez", "/api/v1/products/", "/api/v1/orders/", "/nothing", "/admin/login/"]
DOCUMENTS = ["/swagger/", "/api/docs/", "/redoc/", "/api/redoc/"]


def directives(answer: Any) -> dict[str, str]:
    parts = answer["Content-Security-Policy"].split("; ")
    return {name: value for name, _, value in (part.partition(" ") for part in parts)}


@pytest.mark.parametrize("path", [*PAGES, *DOCUMENTS])
def test_every_answer_is_guarded(path: str) -> None:
    answer = Client().get(path)
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    policy = directives(answer)
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in policy["script-src"]


@pytest.mark.parametrize("path", [*PAGES, *DOCUMENTS])
def test_only_redoc_may_style_itself(path: str) -> None:
    policy = directives(Client().get(path))
    assert ("'unsafe-inline'" in policy["style-src"]) is ("redoc" in path)
    assert ("worker-src" in policy) is ("redoc" in path)


@pytest.mark.parametrize("path", [*DOCUMENTS, "/admin/login/"])
def test_what_is_inline_carries_the_nonce_of_its_answer(path: str) -> None:
    answer = Client().get(path)
    text = answer.content.decode()
    inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", text)
    if "redoc" not in path:
        inline += re.findall(r"<style[^>]*>", text)
    assert inline
    for tag in inline:
        nonce = re.search(r'nonce="([^"]+)"', tag)
        assert nonce, tag
        assert f"'nonce-{nonce[1]}'" in answer["Content-Security-Policy"]


def test_other_settings_are_heard_by_an_answer_without_a_nonce(settings: Any) -> None:
    usual = directives(Client().get("/livez"))
    assert usual.keys() == settings.CONTENT_SECURITY_POLICY["DIRECTIVES"].keys()
    only = {"DIRECTIVES": {"default-src": ["'none'"]}}
    settings.CONTENT_SECURITY_POLICY = only
    assert directives(Client().get("/livez")) == {"default-src": "'none'"}
    settings.CONTENT_SECURITY_POLICY_REPORT_ONLY = only
    assert "Content-Security-Policy-Report-Only" in Client().get("/livez")
    settings.CONTENT_SECURITY_POLICY = {**only, "EXCLUDE_URL_PREFIXES": ["/livez"]}
    assert "Content-Security-Policy" not in Client().get("/livez")


def test_nonces_are_never_the_same() -> None:
    client = Client()
    policies = {client.get("/redoc/")["Content-Security-Policy"] for _ in range(3)}
    assert len(policies) == 3


@pytest.mark.parametrize("path", ["/api/v1/orders/", "/api/v1/auth/me/", "/api/v1/purchases/"])
def test_answers_about_somebody_are_kept_by_nobody(api: APIClient, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/api/v1/orders/", "/api/v1/nothing/", "/api/v1/products/no/"])
def test_refusals_are_kept_by_nobody(path: str) -> None:
    assert Client().get(path)["Cache-Control"] == "no-store"


def test_other_sites_get_in_by_list_only(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://www.example.com"]
    client = Client()
    allowed = client.get("/api/v1/products/", headers={"Origin": "https://www.example.com"})
    assert allowed["Access-Control-Allow-Origin"] == "https://www.example.com"
    foreign = client.get("/api/v1/products/", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in foreign
