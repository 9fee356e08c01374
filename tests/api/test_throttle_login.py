"""A thousand tries on one account: limited, alike for everybody, and the owner comes in."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.test import Client
from rest_framework.test import APIClient

from accounts.throttling import services as throttling
from accounts.throttling import store
from tests.factories.users import PASSWORD, StaffFactory, UserFactory
from tests.sizes import sized

pytestmark = pytest.mark.django_db

AUTH = "/api/v1/auth/"
HOME = "192.0.2.1"
TRIES = sized(200, 1_000)


@pytest.fixture(autouse=True)
def _only_these_limits(settings: Any) -> Iterator[None]:
    """At the beginning of all windows, and without the count of all requests of an address."""
    settings.RATE_LIMIT_FACTOR = 1000
    with time_machine.travel(time.time() // 3600 * 3600 + 5):
        yield


# Of one who makes thousands: a client of its own for each would load all middleware anew.
CLIENT = APIClient()


def post(path: str, body: dict[str, str], address: str = HOME, **extra: str) -> Any:
    return CLIENT.post(AUTH + path, body, format="json", REMOTE_ADDR=address, **extra)


def sign_in(email: str, password: str = PASSWORD, address: str = HOME) -> Any:
    return post("token/", {"email": email, "password": password}, address)


def statuses(email: str, tries: int, *, addresses: int) -> Counter[int]:
    """Wrong passwords, from so many addresses in turn."""
    places = [f"10.1.{n // 250}.{n % 250}" for n in range(addresses)]
    return Counter(
        sign_in(email, f"guess-{n}", places[n % addresses]).status_code for n in range(tries)
    )


@pytest.mark.proof(
    "Sign-ins from one address",
    size=f"{TRIES:,} tries",
    control="test_control_without_counting_every_try_is_heard",
)
def test_of_all_tries_from_one_address_ten_are_heard() -> None:
    joe = UserFactory()
    assert statuses(joe.email, TRIES, addresses=1) == {401: 10, 429: TRIES - 10}
    assert sign_in(joe.email).status_code == 200


@pytest.mark.proof(
    "Sign-ins from everywhere",
    size=f"{TRIES:,} tries, as many addresses",
    control="test_control_without_counting_every_try_is_heard",
)
def test_of_all_tries_from_everywhere_fifty_are_heard() -> None:
    joe = UserFactory()
    assert statuses(joe.email, TRIES, addresses=TRIES) == {401: 50, 429: TRIES - 50}


def test_control_without_counting_every_try_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eleven from one address, and then sixty from as many: all are compared with the password."""
    monkeypatch.setattr(throttling._Attempt, "over", lambda self, key, limit: 0)
    joe = UserFactory()
    assert statuses(joe.email, 11, addresses=1) == {401: 11}
    assert statuses(joe.email, 60, addresses=60) == {401: 60}


def test_the_owner_comes_in_from_a_known_address_during_the_attack() -> None:
    joe = UserFactory()
    assert sign_in(joe.email).status_code == 200
    statuses(joe.email, 100, addresses=100)
    assert sign_in(joe.email).status_code == 200


def test_the_owner_comes_in_from_where_they_registered() -> None:
    assert post("register/", {"email": "joe@x.org", "password": PASSWORD}).status_code == 201
    statuses("joe@x.org", 100, addresses=100)
    assert sign_in("joe@x.org").status_code == 200


@pytest.mark.proof(
    "The owner during an attack",
    size="100 tries, 100 addresses",
    control="test_control_without_the_turn_of_each_address_the_owner_never_comes_in",
)
def test_the_owner_comes_in_from_anywhere_after_the_wait_they_were_told() -> None:
    joe = UserFactory()
    statuses(joe.email, 100, addresses=100)
    refused = sign_in(joe.email)
    assert refused.status_code == 429
    seconds = int(refused["Retry-After"])
    assert seconds <= 60
    with time_machine.travel(time.time() + seconds + 1):
        assert sign_in(joe.email).status_code == 200


def test_control_without_the_turn_of_each_address_the_owner_never_comes_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store.Counters, "take", lambda self, key, value: False)
    with pytest.raises(AssertionError):
        test_the_owner_comes_in_from_anywhere_after_the_wait_they_were_told()


def test_known_and_unknown_accounts_are_limited_alike_and_in_the_same_words() -> None:
    joe, gone = UserFactory(), UserFactory(is_active=False)
    runs = []
    for number, email in enumerate((joe.email, gone.email, "nobody@x.org")):
        answers = [sign_in(email, "wrong", f"10.1.1.{number}") for _ in range(12)]
        runs.append([(a.status_code, a.content) for a in answers])
    assert runs[0] == runs[1] == runs[2]
    assert [status for status, _ in runs[0]] == [401] * 10 + [429] * 2


def test_an_address_is_one_account_however_it_is_written() -> None:
    joe = UserFactory(email="joe@x.org")
    for number in range(10):
        assert sign_in("JOE@x.org" if number % 2 else " joe@X.org", "wrong").status_code == 401
    assert sign_in(joe.email).status_code == 429


def test_a_refusal_says_when_to_come_back() -> None:
    answer = [sign_in("joe@x.org", "wrong") for _ in range(11)][-1]
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "throttled"
    assert 0 < int(answer["Retry-After"]) <= 900


def test_a_header_that_nobody_vouches_for_makes_no_new_address() -> None:
    body = {"email": "joe@x.org", "password": "wrong"}
    found = [
        post("token/", body, HTTP_X_FORWARDED_FOR=f"198.51.100.{n}").status_code for n in range(11)
    ]
    assert found[-1] == 429


def test_behind_a_trusted_proxy_callers_are_told_apart(settings: Any) -> None:
    settings.TRUSTED_PROXIES = [HOME]
    body = {"email": "joe@x.org", "password": "wrong"}
    for number in range(11):
        answer = post("token/", body, HTTP_X_FORWARDED_FOR=f"198.51.100.{number}")
        assert answer.status_code == 401


def test_the_admins_form_counts_with_the_api() -> None:
    boss = StaffFactory()
    form = {"username": boss.email, "password": "wrong"}
    for _ in range(10):
        Client(REMOTE_ADDR=HOME).post("/admin/login/", form)
    refused = Client(REMOTE_ADDR=HOME).post("/admin/login/", {**form, "password": PASSWORD})
    assert refused.status_code == 200
    assert sign_in(boss.email).status_code == 429
    elsewhere = Client(REMOTE_ADDR="192.0.2.9").post(
        "/admin/login/?next=/admin/", {**form, "password": PASSWORD}
    )
    assert elsewhere.status_code == 302


@pytest.mark.parametrize(
    ("path", "body", "limit"),
    [
        ("register/", {"email": "joe@x.org", "password": "12345"}, 10),
        ("password/reset/", {"email": "joe@x.org"}, 5),
        ("password/reset/confirm/", {"token": "x", "new_password": PASSWORD}, 60),
        ("email/verify/", {"token": "x"}, 60),
        ("token/refresh/", {"refresh": "x"}, 60),
    ],
)
def test_every_other_door_is_limited_too(path: str, body: dict[str, str], limit: int) -> None:
    found = [post(path, body).status_code for _ in range(limit + 1)]
    assert 429 not in found[:-1]
    assert found[-1] == 429


def test_one_address_registers_two_hundred_accounts_an_hour() -> None:
    found = [
        post("register/", {"email": f"joe{n}@x.org", "password": "12345"}).status_code
        for n in range(201)
    ]
    assert found == [400] * 200 + [429]


def test_resets_of_one_account_from_everywhere_make_strangers_wait() -> None:
    found = [
        post("password/reset/", {"email": "joe@x.org"}, f"10.1.1.{n}").status_code
        for n in range(25)
    ]
    assert found == [204] * 20 + [429] * 5
