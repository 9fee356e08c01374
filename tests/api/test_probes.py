"""SQL, scripts and broken text in every string of the API: no 5xx, kept as it is, shown escaped."""

import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote
from zlib import crc32

import pytest
from django.contrib import admin
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils.html import escape
from rest_framework.parsers import JSONParser

from accounts.users.api import Me
from accounts.users.models import User
from common.api.serializers import StrictCharField
from shop.models import Product
from tests.api.access_table import TABLE, Operation
from tests.api.hostile import (
    UNSAFE,
    Field,
    Target,
    described,
    name,
    named,
    operations,
    put,
    refused,
    strings,
)
from tests.factories.flash import live_run
from tests.factories.orders import own_rollbacks
from tests.factories.shop import CategoryFactory, ProductFactory
from tests.factories.users import SuperuserFactory, client_for
from tests.sizes import PROVE

__all__ = ["own_rollbacks"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "sandbox")]

SCRIPT = "<script>alert('souk')</script>"
PROBES = {
    "sql or": "' OR '1'='1' -- ",
    "sql drop": "x'; DROP TABLE accounts_user; #",
    "sql union": '") UNION SELECT password FROM accounts_user/*',
    "backslash": "\\' OR 1=1 -- \\",
    "script": SCRIPT,
    "attribute": "\"><img src=x onerror='alert(1)'>",
    "template": "{{ 7|add:7 }}{% debug %}${7*7}%(x)s%s{0}",
    "header": "a\r\nBcc: all@example.org\r\n\r\nb",
    "path": "../../../../etc/passwd",
    "like": "%_%",
    "emoji": "🛒 \u202e tuo kcehc e\u0301",
    "formula": '=HYPERLINK("http://x")',
}
# What no column and no answer can hold.
NO_TEXT = {"nul": b'"a\\u0000b"', "surrogate": b'"\\ud800"', "latin-1": b'"caf\xe9"'}
EVERY = operations("get", *UNSAFE)
WRITES = [op for op in operations(*UNSAFE) if op in TABLE and strings(op) and not TABLE[op].form]


def some(probes: dict[str, str], where: str) -> list[tuple[str, str]]:
    """All in `make prove`; else a sixth of them, at each place the same ones in every run."""
    first = crc32(where.encode())
    return [item for n, item in enumerate(probes.items()) if PROVE or (n + first) % 6 == 0]


@pytest.fixture(autouse=True)
def _no_throttle(settings: Any) -> None:
    settings.THROTTLE_FACTOR = 1000


def probed(target: Target, field: Field, probe: str) -> str:
    """What is wrong with the answer to a valid body with the probe in one of its strings."""
    answer = target.send(put(target.operation, target.body(), field.path, probe))
    if not 200 <= answer.status_code < 300:
        return "" if refused(answer) else f"{answer.status_code}"
    target.renew()
    given = answer.json() if answer.content else {}
    kept = given.get(field.path[0], probe)
    return "" if len(field.path) > 1 or kept == probe.strip() or kept == probe else f"kept {kept!r}"


@pytest.mark.parametrize("operation", WRITES, ids=name)
def test_a_probe_in_a_string_of_a_body_is_refused_or_kept_as_it_is(operation: Operation) -> None:
    target, tables = Target(operation), connection.introspection.table_names()
    wrong = {
        (field.dotted, label): problem
        for field in strings(operation)
        for label, probe in some(PROBES, name(operation) + field.dotted)
        if (problem := probed(target, field, probe))
    }
    assert wrong == {}
    assert connection.introspection.table_names() == tables


def mangled(operation: Operation) -> dict[tuple[str, str], int]:
    """The strings whose bytes that are no text are anything but 400, and for NUL by name."""
    target, found = Target(operation), {}
    for field in strings(operation):
        for label, text in NO_TEXT.items():
            body = json.dumps(put(operation, target.body(), field.path, "<here>")).encode()
            answer = target.send_raw(body.replace(b'"<here>"', text))
            right = answer.status_code == 400 and refused(answer)
            if not right or (label == "nul" and field.dotted not in named(answer)):
                found[field.dotted, label] = answer.status_code
    return found


@pytest.mark.parametrize("operation", WRITES, ids=name)
def test_what_is_no_text_is_400(operation: Operation) -> None:
    assert mangled(operation) == {}


def misnamed(operation: Operation) -> int:
    target = Target(operation)
    body = json.dumps({**target.body(), "<here>": 1}).encode()
    return int(target.send_raw(body.replace(b'"<here>"', NO_TEXT["surrogate"])).status_code)


@pytest.mark.parametrize("operation", WRITES, ids=name)
def test_a_name_that_is_no_text_is_400(operation: Operation) -> None:
    assert misnamed(operation) == 400


def test_control_djangos_parser_takes_a_name_that_no_answer_can_repeat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Me, "parser_classes", [JSONParser])
    assert misnamed(("PATCH", "/api/v1/auth/me/")) == 500


def test_control_a_field_that_takes_every_character(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_validators(self: Any, value: Any) -> None:
        """Django REST Framework's own are the ones that refuse NUL."""

    monkeypatch.setattr(StrictCharField, "run_validators", run_validators)
    assert mangled(("PATCH", "/api/v1/auth/me/")) == {("name", "nul"): 200}


# Paths and queries, byte by byte

RAW = {label: quote(probe, safe="") for label, probe in PROBES.items()}
RAW |= {"nul": "a%00b", "surrogate": "%ED%A0%80", "latin-1": "caf%E9", "percent": "%25%27"}


def parameters(operation: Operation, where: str) -> list[str]:
    found = described(operation).get("parameters", [])
    return [each["name"] for each in found if each["in"] == where]


@pytest.mark.parametrize("operation", [op for op in EVERY if "{" in op[1]], ids=name)
def test_a_probe_in_a_path_finds_nothing(operation: Operation) -> None:
    target, wrong = Target(operation), {}
    parts = list(zip(operation[1].split("/"), target.url.split("/"), strict=True))
    for parameter in parameters(operation, "path"):
        for label, probe in some(RAW, name(operation) + parameter):
            # Only one of several is wrong, or the others would hide what becomes of it.
            there = (probe if part == f"{{{parameter}}}" else known for part, known in parts)
            answer = target.send(target.body(), url="/".join(there))
            if answer.status_code != 404 or not refused(answer):
                wrong[parameter, label] = answer.status_code
    assert wrong == {}


@pytest.mark.parametrize("operation", [op for op in EVERY if parameters(op, "query")], ids=name)
def test_a_probe_in_a_query_is_refused_or_finds_nothing(operation: Operation) -> None:
    target, wrong = Target(operation), {}
    for parameter in parameters(operation, "query"):
        for label, probe in some(RAW, name(operation) + parameter):
            answer = target.client.get(f"{target.url}?{parameter}={probe}")
            # A search, or an exact filter: it has been asked for, and nothing is called that.
            empty = answer.status_code == 200 and answer.json().get("results") == []
            may_be_empty = empty and label != "nul" and parameter != "cursor"
            if not (refused(answer) or may_be_empty):
                wrong[parameter, label] = answer.status_code
    assert wrong == {}


@pytest.mark.parametrize("operation", operations("post"), ids=name)
def test_a_probe_in_a_header_is_refused_or_harmless(operation: Operation) -> None:
    target, wrong = Target(operation), {}
    for header in ("Authorization", "Idempotency-Key", "X-Request-ID", "If-None-Match", "Accept"):
        for label in ("sql or", "sql drop", "script", "template"):
            answer = target.send(target.body(), headers={header: PROBES[label]})
            if answer.status_code >= 500 or PROBES[label] in str(answer.headers):
                wrong[header, label] = answer.status_code
    assert wrong == {}


# % and _ are letters like others.

SEARCHES = [op for op in operations("get") if "search" in parameters(op, "query")]
LITERALS = ["100% wool", "snake_case", "back\\slash"]


def found_by(operation: Operation, text: str) -> list[str]:
    target = Target(operation)
    for each in [*LITERALS, "plain"]:
        CategoryFactory(name=each, slug=uuid.uuid4().hex)
        ProductFactory(name=each)
    rows = target.client.get(target.url, {"search": text}).json()["results"]
    return [row["name"] for row in rows]


def test_there_are_searches() -> None:
    assert len(SEARCHES) >= 3


@pytest.mark.parametrize(("text", "expected"), [*zip("%_\\", LITERALS, strict=True)])
@pytest.mark.parametrize("operation", SEARCHES, ids=name)
def test_wildcards_of_like_are_letters(operation: Operation, text: str, expected: str) -> None:
    assert found_by(operation, text) == [expected]


def test_control_without_djangos_escaping_a_percent_finds_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection.ops, "prep_for_like_query", str)
    assert len(found_by(("GET", "/api/v1/products/"), "%")) > len(LITERALS)


# Where people see it

REGISTERED = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture
def infested(drain: Callable[..., int]) -> User:
    """A shop in which every text that the API takes is a script."""
    target = Target(("POST", "/api/v1/orders/"))
    Product.objects.update(name=SCRIPT, description=SCRIPT)
    joe: User = target.world.user("customer")
    target.client.patch("/api/v1/auth/me/", {"name": SCRIPT}, format="json")
    order = target.send(target.body()).json()
    pay = f"/api/v1/payments/{order['payment']['id']}"
    target.client.post(f"{pay}/confirm/", {"payment_method": "pm_card_visa"}, format="json")
    drain()
    staff, v = client_for(SuperuserFactory()), "/api/v1/admin/"
    change = {"delta": 1, "reason": SCRIPT}
    assert staff.post(f"{v}products/goods/stock/", change, format="json").status_code == 201
    uid = order["payment"]["id"]
    back = staff.post(f"{v}payments/{uid}/refund/", {"reason": SCRIPT}, format="json")
    assert back.status_code == 201, back.content
    offer = {"condition": {"name": SCRIPT, "description": SCRIPT}}
    flash = f"{v}flash-sales/{live_run(units=1).sale.slug}/"
    assert staff.patch(flash, offer, format="json").status_code == 200
    CategoryFactory(name=SCRIPT)
    return joe


def pages_of(client: Client) -> dict[str, str]:
    """Every list of the admin, and the page of the newest row of each."""
    found = {}
    for model in REGISTERED:
        meta, row = model._meta, model._default_manager.order_by("-pk").first()
        base = f"admin:{meta.app_label}_{meta.model_name}"
        urls = [reverse(f"{base}_changelist")]
        urls += [reverse(f"{base}_change", args=[row.pk])] if row else []
        found |= {url: client.get(url).content.decode() for url in urls}
    return found


def test_admin_pages_and_mails_show_a_script_as_text(infested: User, drain: Any) -> None:
    root = Client()
    root.force_login(SuperuserFactory())
    pages = pages_of(root)
    assert [url for url, page in pages.items() if SCRIPT in page] == []
    shown = {url.split("/")[3] for url, page in pages.items() if escape(SCRIPT) in page}
    assert {"product", "category", "stock", "order", "payment", "refund", "flashsale"} <= shown
    Client().post("/api/v1/auth/password/reset/", {"email": infested.email}, "application/json")
    drain()
    [(html, _)] = mail.outbox[-1].alternatives  # type: ignore[attr-defined]
    assert SCRIPT not in html
    assert escape(SCRIPT) in html


def test_control_a_page_that_does_not_escape_is_found(
    infested: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.template.base.conditional_escape", str)
    root = Client()
    root.force_login(SuperuserFactory())
    assert any(SCRIPT in page for page in pages_of(root).values())


@pytest.mark.parametrize("label", PROBES)
def test_the_name_of_an_uploaded_file_goes_nowhere(label: str) -> None:
    target = Target(("POST", "/api/v1/admin/products/{slug}/image/"))
    sent = target.body()["image"].read()
    answer = target.send({"image": SimpleUploadedFile(PROBES[label], sent, "image/png")})
    assert answer.status_code == 200 or refused(answer)
    for kept in Product.objects.filter(image__startswith="media:").values_list("image", flat=True):
        assert uuid.UUID(kept.removeprefix("media:catalogue/").removesuffix(".webp"))
