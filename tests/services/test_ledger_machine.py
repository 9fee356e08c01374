"""Random sequences of ledger calls, replays and crashes against a model of plain dictionaries."""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.ledger import selectors, services
from accounts.ledger.errors import InsufficientFunds
from accounts.ledger.models import Account, Hold, Transfer
from accounts.ledger.rules import AccountRef, Kind, customer, house, move
from common import clock, db, money
from common.errors import SoukError
from config import ledger_invariants
from tests.factories.orders import own_rollbacks  # noqa: F401
from tests.factories.users import UserFactory
from tests.services.ledger_model import Call, Model, Purse, Refusal, other
from tests.sizes import PROVE, sized

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("own_rollbacks"),
    pytest.mark.timeout(4 * 3600 if PROVE else 900),
]

SEQUENCES, STEPS = sized(15, 1_000), sized(25, 50)
MOST = 10**30
VENUE = Kind.EXCHANGE_CLEARING
LEDGER_ALONE = [
    check
    for check in ledger_invariants.CHECKS
    if check is not ledger_invariants.the_house_agrees_with_the_payments
]


@pytest.fixture(autouse=True)
def _two_currencies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal says what there is in the currency's decimals, and the shop has one currency."""
    monkeypatch.setitem(money.DECIMALS, "ETH", 18)


class Crash(Exception):
    """The process dies after its statements and before its commit."""


def wallet(purse: Purse) -> AccountRef:
    return customer(*purse)


def clearing(purse: Purse) -> AccountRef:
    return house(Kind.STRIPE_CLEARING, purse[1])


def moved(call: Call, *, debit: AccountRef, credit: AccountRef) -> None:
    entries = move(call.amount, debit=debit, credit=credit)
    services.transfer_post(reference=call.reference, kind=call.kind, entries=entries)


def hold_pk(call: Call) -> int:
    return Hold.objects.get(reference=call.reference).pk


def debt(call: Call) -> None:
    services.debt_collect(
        reference=call.reference,
        account=wallet(call.purse),
        amount=call.amount,
        credit=clearing(call.purse),
        kind=call.kind,
    )


def hold_rest(call: Call) -> None:
    services.hold_what_is_there(
        reference=call.reference, account=wallet(call.purse), amount=call.amount, about=""
    )


def post(call: Call) -> None:
    sales = house(Kind.SALES, call.purse[1])
    services.hold_post(hold_id=hold_pk(call), credit=sales, kind="sale", amount=call.amount)


@db.transactional
def settle(call: Call) -> None:
    """As the exchange gives a member its share: money for coins, both or neither."""
    coin = other(call.purse)
    services.wallets_lock(refs=[wallet(call.purse), wallet(coin)])
    services.hold_post(
        hold_id=hold_pk(call),
        credit=house(Kind.EXCHANGE_CLEARING, call.purse[1]),
        kind="exchange",
        amount=call.amount,
    )
    services.transfer_post(
        reference=f"exchange:{call.reference}",
        kind="exchange",
        entries=move(
            call.amount, debit=house(Kind.EXCHANGE_CLEARING, coin[1]), credit=wallet(coin)
        ),
    )


LEDGER: dict[str, Callable[[Call], Any]] = {
    "deposit": lambda c: moved(c, debit=clearing(c.purse), credit=wallet(c.purse)),
    "sale": lambda c: moved(c, debit=wallet(c.purse), credit=house(Kind.SALES, c.purse[1])),
    "refund": lambda c: moved(c, debit=house(Kind.REFUNDS, c.purse[1]), credit=wallet(c.purse)),
    "debt": debt,
    "hold": lambda c: services.hold_place(
        reference=c.reference, account=wallet(c.purse), amount=c.amount
    ),
    "hold_rest": hold_rest,
    "post": post,
    "settle": settle,
    "void": lambda c: services.hold_void(hold_id=hold_pk(c)),
}


def answer(call: Call) -> Refusal:
    """The ledger's refusal, or None; anything else that it raises ends the sequence."""
    try:
        LEDGER[call.kind](call)
    except SoukError as refused:
        return type(refused)
    return None


def crash(call: Call) -> None:
    with suppress(Crash), transaction.atomic():
        answer(call)
        raise Crash


CRASHES = st.sampled_from([False, False, False, True])
# None: all there is. Small ones meet again, large ones are beyond 64 bits.
AMOUNTS = st.one_of(st.none(), st.integers(1, 5), st.integers(1, MOST), st.just(MOST))
PICKS = st.integers(0, 99)


class Ledger(RuleBasedStateMachine):
    """Each sequence runs in a transaction of its own, which is rolled back at its end."""

    def __init__(self, users: list[int]) -> None:
        super().__init__()
        self.purses = [(user, currency) for user in users for currency in ("USD", "ETH")]
        self.model, self.calls = Model(), list[Call]()
        self.block = transaction.atomic()
        self.block.__enter__()
        # `@transactional` shall take this block for no transaction at all.
        db.connection.depth = len(connection.savepoint_ids)  # type: ignore[attr-defined]

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.block.__exit__(None, None, None)

    def act(self, call: Call, *, crashes: bool) -> None:
        if crashes:
            crash(call)
            self.agrees()
        expected = self.model.apply(call)
        assert (call, answer(call)) == (call, expected)
        self.calls.append(call)

    def new(self, kind: str, pick: int, amount: int | None, crashes: bool) -> None:
        purse = self.purses[pick % len(self.purses)]
        all_of_it = min(self.model.available.get(purse, 0), MOST) or 1
        reference = f"{kind}:{len(self.calls)}"
        self.act(Call(kind, reference, purse, amount or all_of_it), crashes=crashes)

    def decide(self, kind: str, pick: int, amount: int | None, crashes: bool) -> None:
        slip = list(self.model.holds.values())[pick % len(self.model.holds)]
        call = slip.call._replace(kind=kind, amount=amount or slip.call.amount)
        self.act(call, crashes=crashes)

    @rule(kind=st.sampled_from(["deposit", "refund"]), pick=PICKS, amount=AMOUNTS, crashes=CRASHES)
    def money_comes(self, kind: str, pick: int, amount: int | None, crashes: bool) -> None:
        self.new(kind, pick, amount, crashes)

    @rule(kind=st.sampled_from(["sale", "debt"]), pick=PICKS, amount=AMOUNTS, crashes=CRASHES)
    def money_goes(self, kind: str, pick: int, amount: int | None, crashes: bool) -> None:
        self.new(kind, pick, amount, crashes)

    @rule(kind=st.sampled_from(["hold", "hold_rest"]), pick=PICKS, amount=AMOUNTS, crashes=CRASHES)
    def hold(self, kind: str, pick: int, amount: int | None, crashes: bool) -> None:
        self.new(kind, pick, amount, crashes)

    @precondition(lambda self: self.model.holds)
    @rule(kind=st.sampled_from(["post", "settle"]), pick=PICKS, amount=AMOUNTS, crashes=CRASHES)
    def post(self, kind: str, pick: int, amount: int | None, crashes: bool) -> None:
        self.decide(kind, pick, amount, crashes)

    @precondition(lambda self: self.model.holds)
    @rule(pick=PICKS, crashes=CRASHES)
    def void(self, pick: int, crashes: bool) -> None:
        self.decide("void", pick, None, crashes)

    @precondition(lambda self: self.model.holds)
    @rule(pick=PICKS)
    def time_runs_out(self, pick: int) -> None:
        reference = list(self.model.holds)[pick % len(self.model.holds)]
        past = clock.now() - timedelta(minutes=1)
        Hold.objects.filter(reference=reference).update(expires_at=past)
        self.model.holds[reference] = self.model.holds[reference]._replace(overdue=True)

    @rule()
    def expire(self) -> None:
        assert services.holds_expire() == self.model.expire()

    @precondition(lambda self: self.calls)
    @rule(pick=PICKS, crashes=CRASHES)
    def replay(self, pick: int, crashes: bool) -> None:
        self.act(self.calls[pick % len(self.calls)], crashes=crashes)

    @precondition(lambda self: self.calls)
    @rule(pick=PICKS, amount=AMOUNTS)
    def replay_another_amount(self, pick: int, amount: int | None) -> None:
        call = self.calls[pick % len(self.calls)]
        self.act(call._replace(amount=amount or call.amount % MOST + 1), crashes=False)

    @invariant()
    def agrees(self) -> None:
        rows = {(row.owner_id, row.currency): row for row in Account.objects.exclude(owner=None)}
        found = {p: (rows[p].available, rows[p].held) if p in rows else (0, 0) for p in self.purses}
        model = self.model
        assert found == {p: (model.available.get(p, 0), model.held.get(p, 0)) for p in self.purses}
        assert all(part >= 0 for both in found.values() for part in both)
        venue = {c: n for (k, c), n in selectors.house_balances().items() if n and k == VENUE}
        assert venue == {c: n for c, n in model.venue.items() if n}
        assert {row["difference"] for row in selectors.trial_balance()} <= {0}
        assert [line for check in LEDGER_ALONE for line in check()] == []


def play(sequences: int = SEQUENCES, *, steps: int = STEPS, told: Any = None, **more: Any) -> None:
    """The same sequences each time in `make test`, new ones in `make prove`."""
    users, numbers = [UserFactory().pk, UserFactory().pk], iter(range(1, 10**9))

    def machine() -> Ledger:
        if told is not None:
            told(next(numbers))
        return Ledger(users)

    chosen = settings(
        max_examples=sequences,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=not PROVE,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        **more,
    )
    run_state_machine_as_test(machine, settings=chosen)


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[int], None] | None:
    """Says how far a long run has come."""

    def say(number: int) -> None:
        if number % 50 == 0:
            with capsys.disabled():
                print(f"  sequence {number} of {SEQUENCES}", flush=True)

    return say if PROVE else None


@pytest.mark.proof(
    "Ledger, random calls, replays and crashes",
    size=f"{SEQUENCES:,} sequences of {STEPS} steps",
    control="test_control_a_broken_ledger_is_found",
)
def test_the_ledger_does_what_the_model_does(told: Any) -> None:
    play(told=told)


def forget_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "transfer_by_reference", lambda reference: None)


def forget_and_lose_the_unique_key(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_what_is_done(monkeypatch)
    create = Transfer.objects.create
    monkeypatch.setattr(
        Transfer.objects,
        "create",
        lambda **row: create(**{**row, "reference": f"{row['reference']}:{random.random()}"}),
    )


def spend_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(account: Account, entry: Any) -> None:
        if account.kind == Kind.CUSTOMER:
            account.available = max(0, account.available - entry.amount)
            account.save(update_fields=["available"])

    monkeypatch.setattr(services, "_change_balance", change)


def leave_held_money_available(monkeypatch: pytest.MonkeyPatch) -> None:
    def set_aside(account: Account, amount: int) -> None:
        if account.available < amount:
            raise InsufficientFunds(account.available, account.currency)
        account.held += amount
        account.save(update_fields=["held"])

    monkeypatch.setattr(services, "_set_aside", set_aside)


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        # The unique key, or a replay that is refused for want of the money it took before.
        (forget_what_is_done, {"IntegrityError", "AssertionError"}),
        (forget_and_lose_the_unique_key, {"AssertionError"}),
        (spend_what_is_not_there, {"AssertionError"}),
        (leave_held_money_available, {"AssertionError"}),
    ],
)
def test_control_a_broken_ledger_is_found(
    monkeypatch: pytest.MonkeyPatch, broken: Callable[[Any], None], found: set[str]
) -> None:
    broken(monkeypatch)
    with pytest.raises(Exception) as raised:  # noqa: PT011  # its name is compared below
        play(25, steps=25, phases=[Phase.generate])
    assert type(raised.value).__name__ in found
