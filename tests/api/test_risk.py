"""Rules against fraud: who is caught, how, and that fifty normal buyers are not."""

import json
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from redis.exceptions import ConnectionError as RedisIsAway

from accounts.users.models import User
from common.models import AuditEntry
from payments.intake import services as machine
from payments.intake.models import Payment
from payments.risk import services, store
from payments.risk.models import CardUse, RiskAllowance, RiskHit
from payments.risk.rules import Rule
from shop.flash_sales.models import FlashRun, FlashUnit
from shop.models import Order
from tests.factories.admin import pages, root, send, text_of
from tests.factories.flash import live_run
from tests.factories.orders import (
    ORDERS,
    STAFF,
    get_order,
    order_body,
    own_rollbacks,
    post,
    settled,
)
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory, client_for
from tests.factories.wallet import deposit
from tests.races.parallel import capture_of

__all__ = ["own_rollbacks", "root", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled")]

ALLOWANCES = f"{STAFF}risk/allowances/"
HOME = "198.51.100.7"


@pytest.fixture(autouse=True)
def _rules(settings: Any) -> None:
    settings.RATE_LIMIT_FACTOR = 1
    settings.RATE_LIMITS = {scope: {} for scope in settings.RATE_LIMITS}
    settings.FLASH_RISK = {
        "user": {"limit": 8, "window": 3600},
        "address": {"limit": 12, "window": 600},
        "new_account": {"limit": 3, "window": 3600, "younger": 24 * 3600},
        "card": {"limit": 2, "window": 24 * 3600},
    }


def member(days: float = 30) -> User:
    """A user who joined so long ago."""
    user = UserFactory()
    User.objects.filter(pk=user.pk).update(joined_at=F("joined_at") - timedelta(days=days))
    return user


def buy(run: FlashRun, client: Any, address: str = HOME, **more: Any) -> Any:
    body = {"quantity": 1, "payment": {"method": "stripe"}, **more}
    url = f"/api/v1/flash-sales/{run.sale.slug}/purchases/"
    return client.post(url, body, format="json", REMOTE_ADDR=address)


def codes(answers: Any) -> list[str]:
    return [a.json().get("code", "bought") for a in answers]


def pay(answer: Any, card: str = "") -> Payment:
    payment = Payment.objects.get(uid=answer.json()["payment"]["id"])
    machine.payment_settle(payment_id=payment.pk, capture=capture_of(payment), card=card)
    payment.refresh_from_db()
    return payment


def hits() -> list[tuple[str, str]]:
    return list(RiskHit.objects.order_by("pk").values_list("rule", "action"))


@pytest.mark.usefixtures("no_stripe")
class TestRefused:
    def test_one_user_who_buys_too_often(self) -> None:
        run, client = live_run(units=20), client_for(member())
        answers = [buy(run, client, f"192.0.2.{n}") for n in range(11)]
        assert codes(answers) == ["bought"] * 8 + ["too_many_purchases"] * 3
        assert answers[-1].status_code == 409
        assert hits() == [("user", "refuse")]

    def test_one_address_that_buys_for_many(self) -> None:
        run = live_run(units=20)
        answers = [buy(run, client_for(member())) for _ in range(14)]
        assert codes(answers) == ["bought"] * 12 + ["too_many_from_address"] * 2
        assert codes([buy(run, client_for(member()), "198.51.100.8")]) == ["bought"]
        assert hits() == [("address", "refuse")]

    def test_a_prefix_of_ipv6_is_one_address(self) -> None:
        run = live_run(units=20)
        answers = [buy(run, client_for(member()), f"2001:db8::{n:x}") for n in range(14)]
        assert codes(answers).count("too_many_from_address") == 2

    def test_a_new_account_that_pays_from_its_wallet_at_once(
        self, api: Any, sandbox: Any, drain: Any
    ) -> None:
        deposit(api, drain)
        run = live_run(units=20)
        answers = [buy(run, api, payment={"method": "wallet"}) for _ in range(4)]
        assert codes(answers) == ["bought"] * 3 + ["new_account_limit"]
        assert hits() == [("new_account", "refuse")]

    def test_purchases_that_came_to_nothing_are_not_counted(self) -> None:
        """Somebody who clicks on and on in a rush, and gets the unit that comes back."""
        run, client = live_run(units=1), client_for(member())
        first = buy(run, client_for(member()), "192.0.2.1")
        assert set(codes(buy(run, client) for _ in range(30))) == {"sold_out"}
        Order.objects.filter(number=first.json()["order"]["number"]).update(
            expires_at=F("placed_at")
        )
        assert codes([buy(run, client)]) == ["bought"]
        assert hits() == []

    def test_the_same_key_again_is_counted_once(self) -> None:
        run, client = live_run(units=20), client_for(member())
        url = f"/api/v1/flash-sales/{run.sale.slug}/purchases/"
        body = {"quantity": 1, "payment": {"method": "stripe"}}
        assert {post(client, url, body, key="k").status_code for _ in range(12)} == {201}

    def test_control_without_the_rules_nobody_is_refused(self, settings: Any) -> None:
        settings.RATE_LIMIT_FACTOR = 0
        run, client = live_run(units=20), client_for(member())
        assert codes(buy(run, client) for _ in range(15)) == ["bought"] * 15
        assert hits() == []

    def test_while_the_cache_is_away_nobody_is_stopped(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: Any) -> Any:
            raise RedisIsAway

        def gone(*_: Any) -> int:
            raise ValueError("no such key")

        monkeypatch.setattr(store, "count_shared", away)
        monkeypatch.setattr(store.cache, "decr", gone)
        run, client = live_run(units=20), client_for(member())
        assert codes(buy(run, client) for _ in range(15)) == ["bought"] * 15


@pytest.mark.usefixtures("no_stripe")
class TestReviewed:
    def held(self, run: FlashRun) -> tuple[Any, Payment]:
        """The fourth purchase of an account that is a minute old, paid."""
        client = client_for(UserFactory())
        answers = [buy(run, client) for _ in range(4)]
        assert codes(answers) == ["bought"] * 4
        return client, pay(answers[-1])

    def test_money_of_a_new_account_that_buys_too_often_is_looked_at(self) -> None:
        run = live_run(units=9)
        client, payment = self.held(run)
        assert (payment.status, payment.reason) == ("review", "fraud")
        assert hits() == [("new_account", "review")]
        assert payment.order is not None
        order = get_order(client, {"number": payment.order.number})
        assert order["status"] == "pending_payment"
        # Its time is over, and it keeps its unit all the same until staff have decided.
        Order.objects.update(expires_at=F("placed_at"))
        assert codes([buy(run, client_for(member()), "192.0.2.1")]) == ["bought"]
        assert FlashUnit.objects.get(purchase__order=payment.order).state == "held"

    def test_staff_accept_and_the_order_is_paid(self, staff_api: Any) -> None:
        client, payment = self.held(live_run(units=9))
        url = f"{STAFF}payments/{payment.uid}/resolve/"
        answer = post(staff_api, url, {"resolution": "accept", "note": "a fan"})
        assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
        assert payment.order is not None
        assert get_order(client, {"number": payment.order.number})["status"] == "paid"
        assert FlashUnit.objects.get(purchase__order=payment.order).state == "sold"

    def test_staff_refund_and_the_unit_goes_back_on_sale(self, staff_api: Any) -> None:
        _, payment = self.held(live_run(units=9))
        url = f"{STAFF}payments/{payment.uid}/resolve/"
        body = {"resolution": "refund", "destination": "wallet", "note": "a bot"}
        assert post(staff_api, url, body).status_code == 200
        payment.refresh_from_db()
        assert payment.status == "refunded"
        order = Order.objects.get(pk=payment.order_id)
        assert (order.status, order.deadline_suspended) == ("pending_payment", False)

    def test_late_money_of_a_suspect_is_looked_at_as_well(self) -> None:
        client = client_for(UserFactory())
        run = live_run(units=9)
        answers = [buy(run, client) for _ in range(4)]
        number = answers[-1].json()["order"]["number"]
        assert post(client, f"/api/v1/orders/{number}/cancel/").status_code == 200
        assert pay(answers[-1]).reason == "fraud"
        assert Order.objects.get(number=number).status == "cancelled"

    def test_a_card_that_pays_for_too_many_users(self) -> None:
        run = live_run(units=9)
        people = [client_for(member()) for _ in range(4)]
        paid = [pay(buy(run, person), card="fp_same") for person in people]
        assert [p.reason for p in paid] == ["", "", "fraud", "fraud"]
        assert hits() == [("card", "review")] * 2
        assert pay(buy(run, people[0]), card="fp_other").status == "succeeded"

    def test_a_household_shares_its_card_day_after_day(self) -> None:
        run = live_run(units=9)
        people = [client_for(member()) for _ in range(2)]
        paid = [pay(buy(run, person), card="fp_home") for person in people * 3]
        assert {p.status for p in paid} == {"succeeded"}

    def test_control_without_the_rule_the_money_counts(self, settings: Any) -> None:
        settings.FLASH_RISK["card"]["limit"] = 0
        settings.FLASH_RISK["new_account"]["limit"] = 0
        run = live_run(units=9)
        paid = [pay(buy(run, client_for(UserFactory())), card="fp_same") for _ in range(5)]
        assert {p.status for p in paid} == {"succeeded"}

    def test_money_for_the_shops_other_orders_is_not_looked_at(self) -> None:
        client, _ = self.held(live_run(units=9))
        ProductFactory(slug="other", list_price=500, stock=1)
        placed = post(client, ORDERS, order_body(("other", 1)))
        assert pay(placed, card="fp_one").status == "succeeded"
        assert not CardUse.objects.exists()

    def test_a_suspect_who_pays_from_the_wallet_instead_is_looked_at(
        self, api: Any, sandbox: Any, drain: Any
    ) -> None:
        deposit(api, drain)
        run = live_run(units=9)
        number = [buy(run, api) for _ in range(4)][-1].json()["order"]["number"]
        changed = post(api, f"{ORDERS}{number}/payments/", {"method": "wallet"})
        assert (changed.status_code, changed.json()["status"]) == (201, "review")
        assert get_order(api, {"number": number})["status"] == "pending_payment"


def test_the_print_of_a_card_is_stripes(sandbox: Any, drain: Any) -> None:
    run = live_run(units=9)
    for _ in range(3):
        client = client_for(member())
        payment = buy(run, client).json()["payment"]["id"]
        url = f"/api/v1/payments/{payment}/confirm/"
        assert post(client, url, {"payment_method": "pm_card_visa"}).status_code == 202
    drain()
    reasons = Payment.objects.order_by("pk").values_list("reason", flat=True)
    assert list(reasons) == ["", "", "fraud"]


@pytest.mark.usefixtures("no_stripe")
class TestAllowed:
    def test_a_network_on_the_list_is_let_through(self, staff_api: Any) -> None:
        body = {"network": "198.51.100.77/24", "reason": "the hall"}
        made, again = (post(staff_api, ALLOWANCES, body, key="k") for _ in range(2))
        assert (made.status_code, made.json()["network"]) == (201, "198.51.100.0/24")
        assert again.json() == made.json()
        run = live_run(units=20)
        assert set(codes(buy(run, client_for(member())) for _ in range(15))) == {"bought"}
        url = f"{ALLOWANCES}{made.json()['id']}/"
        assert staff_api.delete(url).status_code == 204
        assert staff_api.delete(url).status_code == 404
        assert codes([buy(run, client_for(member()))]) == ["too_many_from_address"]
        acts = AuditEntry.objects.filter(action__in=["risk.allow", "risk.disallow"])
        assert list(acts.order_by("pk").values_list("action", flat=True)) == [
            "risk.allow",
            "risk.disallow",
        ]

    def test_a_user_on_the_list_is_let_through(self, staff_api: Any) -> None:
        user = UserFactory()
        body = {"user": str(user.uid), "reason": "our own shopper"}
        made = post(staff_api, ALLOWANCES, body)
        assert (made.status_code, made.json()["user"]) == (201, str(user.uid))
        listed = staff_api.get(ALLOWANCES).json()["results"]
        assert [each["id"] for each in listed] == [made.json()["id"]]
        run, client = live_run(units=20), client_for(user)
        answers = [buy(run, client) for _ in range(14)]
        assert set(codes(answers)) == {"bought"}
        assert pay(answers[-1]).status == "succeeded"
        assert hits() == []

    @pytest.mark.parametrize(
        ("body", "code", "field"),
        [
            ({"reason": "x"}, "one_of", "user"),
            ({"network": "the moon", "reason": "x"}, "not_a_network", "network"),
            ({"network": "1.2.3.4/99", "reason": "x"}, "not_a_network", "network"),
            ({"user": "0" * 32, "reason": "x"}, "unknown_user", "user"),
            ({"network": "1.2.3.4"}, "required", "reason"),
            ({"network": "1.2.3.4", "reason": ""}, "blank", "reason"),
        ],
    )
    def test_what_is_nobody_is_refused(
        self, staff_api: Any, body: dict[str, Any], code: str, field: str
    ) -> None:
        answer = post(staff_api, ALLOWANCES, body)
        assert (answer.status_code, answer.json()["code"]) == (400, code), answer.content
        assert [each["field"] for each in answer.json()["errors"]] == [field]

    def test_the_admin_adds_to_the_list_and_takes_off(self, root: Client) -> None:
        user, add = UserFactory(), pages(RiskAllowance, "add")
        assert "no such user" in text_of(send(root, add, email="nobody@example.org"))
        assert "not both" in text_of(send(root, add))
        assert "no IP address" in text_of(send(root, add, network="moon"))
        assert "let through" in text_of(send(root, add, email=user.email))
        assert "let through" in text_of(send(root, add, network="192.0.2.9"))
        chosen = [a.pk for a in RiskAllowance.objects.all()]
        data = {"action": "remove", "_selected_action": chosen}
        answer = root.post(pages(RiskAllowance, "changelist"), data, follow=True)
        assert "2 taken off" in text_of(answer)
        assert not RiskAllowance.objects.exists()


@pytest.mark.usefixtures("no_stripe")
def test_neither_log_nor_audit_nor_tables_have_an_address_or_a_card(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run, client = live_run(units=20), client_for(member())
    with caplog.at_level(logging.INFO):
        answers = [buy(run, client, "203.0.113.77") for _ in range(10)]
        pay(answers[0], card="fp_secret_4242")
    kept = [*AuditEntry.objects.values("data", "target"), *RiskHit.objects.values()]
    kept += CardUse.objects.values()
    written = json.dumps([kept, [vars(line) for line in caplog.records]], default=str)
    assert hits() == [("user", "refuse")]
    for secret in ("203.0.113.77", "fp_secret_4242"):
        assert secret not in written


@dataclass
class Person:
    """A normal buyer: where from, for how long a customer, how many purchases, by which card."""

    address: str
    days: float
    purchases: int
    card: str


def crowd() -> list[Person]:
    """Fifty: households, an office, a hall of residence, newcomers, and people by themselves."""
    families = [
        Person(f"192.0.2.{home}", days, 1 + home % 2, f"family-{home}")
        for home in range(5)
        for days in (900, 800, 0.01)[: 2 + home % 2]
    ]
    office = [Person("198.51.100.1", 200 + n, 1, f"office-{n}") for n in range(8)]
    hall = [Person("2001:db8:1::1", n / 50, 1, f"hall-{n}") for n in range(10)]
    newcomers = [Person(f"203.0.113.{n}", 0, 1 + n % 3, f"new-{n}") for n in range(8)]
    alone = [
        Person(f"203.0.113.{100 + n}", 40 * n + 2, 1 + n % 5, f"alone-{n}")
        for n in range(50 - len(families) - 26)
    ]
    return [*families, *office, *hall, *newcomers, *alone]


@pytest.mark.usefixtures("no_stripe")
def test_fifty_normal_buyers_are_never_caught(settings: Any) -> None:
    people = crowd()
    assert len(people) == 50
    settings.FLASH_RISK["card"]["limit"] = 4
    run = live_run(units=200)
    answers = []
    for person in people:
        client = client_for(member(person.days))
        for _ in range(person.purchases):
            answers.append(buy(run, client, person.address))
            # Nobody's first card always works; a decline is not a purchase.
            assert pay(answers[-1], card=person.card).status == "succeeded"
    assert {a.status_code for a in answers} == {201}
    assert (hits(), AuditEntry.objects.filter(action__startswith="risk.").count()) == ([], 0)


@pytest.mark.usefixtures("no_stripe")
def test_control_the_same_fifty_from_one_address_with_one_card_are(settings: Any) -> None:
    run = live_run(units=200)
    answers = [buy(run, client_for(member(person.days))) for person in crowd()]
    assert codes(answers).count("bought") == settings.FLASH_RISK["address"]["limit"]
    reasons = [pay(answer, card="one").reason for answer in answers if answer.status_code == 201]
    assert reasons.count("fraud") == 10


def test_a_count_that_fails_is_taken_back() -> None:
    with pytest.raises(KeyError), services.purchase_screened(user_id=1, address="", at_once=False):
        raise KeyError
    assert store.count([(Rule.USER, "1", 60)]) == [1]
