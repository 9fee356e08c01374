"""Flash purchases, those that wait at the same moment in one transaction.

Each buyer is answered after the COMMIT, with the rows of any other order: nothing is brought up to
date later. What refuses one buyer (a limit, the wallet, a key that another call has taken over) is
found out before anything is written, and the others' purchases go on.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError

from accounts.ledger.services import Purses
from common import context, ids
from common.db import transactional
from common.errors import Busy, SoukError
from common.idempotency import services as idempotency
from common.idempotency.errors import KeyInUse
from common.idempotency.services import Claim
from common.together import Together
from payments.checkout.services.orders import expire_all
from payments.checkout.services.placing import Placed
from payments.intake import ports
from payments.intake import services as intake
from payments.intake.models import Payment
from payments.intake.rules import Method
from payments.intake.services import Opening
from shop.flash_sales import selectors as flash_reads
from shop.flash_sales import services as flash_sales
from shop.flash_sales.errors import SaleEnded, SaleNotStarted, SoldOut, UserLimitReached
from shop.flash_sales.models import FlashRun
from shop.flash_sales.services import Chosen, Limit, OpenRun, UnitsTaken, Wanted
from shop.flash_sales.waiting import services as waiting
from shop.orders import services as orders
from shop.orders.models import Order
from shop.orders.services import Demand, NewOrder

# Each further try finds the slots that a parallel call of the same user has just taken.
TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class FlashPlaced:
    """A flash purchase: its order and payment, the run and the units' serial numbers."""

    placed: Placed
    run: FlashRun
    units: list[int]


@dataclass(frozen=True, slots=True)
class Wish:
    """A waiting purchase, with what its request carries: the thread that writes it is another's."""

    slug: str
    method: str
    user_id: int
    quantity: int
    request_id: str
    claim: Claim | None
    terms: Any = None
    # Whether the waiting room, if there is one, has let this buyer through.
    admitted: bool = False


class RoomUnasked(Exception):
    """The sale has a waiting room, and it was not asked. Never leaves this file."""


@dataclass(slots=True)
class Going:
    """A purchase that nothing has refused so far, and its place among the answers."""

    place: int
    wish: Wish
    chosen: Chosen
    number: str
    total: int


@dataclass(frozen=True, slots=True)
class Offered:
    """Units of a run that the gate has handed out, each (primary key, serial number), and the
    places of wishes that it has refused.
    """

    run_id: int
    units: list[tuple[int, int]]
    refused: dict[int, UserLimitReached]


Answer = FlashPlaced | Exception
# The run of each sale from which something was bought last, to ask its gate before MySQL is asked.
_RUNS: Final[dict[str, int]] = {}
# Sales that had a waiting room when this process last looked. Of the others it is found out within
# the transaction: to look ahead costs each buyer a query, half as much as all the rest of his rows.
_ROOMS: Final[set[str]] = set()


def flash_purchase(
    *,
    user_id: int,
    slug: str,
    quantity: int,
    method: str,
    token: str | None = None,
    refund_address: str = "",
    ticket: str | None = None,
) -> FlashPlaced:
    """Buy units of the run that is open now: order, units and payment, or nothing.

    Raises NoSuchSale, SaleNotStarted, SaleEnded, SoldOut, UserLimitReached, OrderLimitExceeded,
    MethodUnavailable, InsufficientFunds, TotalTooLarge; NotAdmitted where there is a waiting room;
    for coins UnknownToken, AddressRefused and RateUnavailable.
    """
    gateway = ports.gateway(method)
    terms = gateway.terms(token, refund_address)
    request_id, claim = context.request_id.get(), idempotency.running()
    wish = Wish(slug, method, user_id, quantity, request_id, claim, terms)
    bought = _let_in(wish, ticket)
    # The provider is slow and may be down: never in the group, whose other buyers would wait.
    gateway.open(bought.placed.payment.pk)
    return bought


def _let_in(wish: Wish, ticket: str | None) -> FlashPlaced:
    if wish.slug not in _ROOMS:
        with suppress(RoomUnasked):
            return _bought(wish)
    _check_admitted(wish, ticket)
    return _bought(replace(wish, admitted=True))


def _check_admitted(wish: Wish, ticket: str | None) -> None:
    # Ahead of the group: places are in Redis, and the group's transaction holds locks.
    sale = flash_reads.sale_get(wish.slug)
    if sale.admission_rate is None:
        _ROOMS.discard(wish.slug)
        return
    run = flash_reads.run_to_buy(sale)
    waiting.admission_require(
        run_id=run.pk, rate=sale.admission_rate, user_id=wish.user_id, ticket=ticket
    )


def _bought(wish: Wish) -> FlashPlaced:
    try:
        return _asked(wish)
    except SoldOut as short:
        asked_at = time.monotonic()
        if short.run_id is None or not _more_units(short.run_id):
            flash_sales.refusal_note(wish.slug, short, asked_at=asked_at)
            raise
    return _asked(wish)


def _asked(wish: Wish) -> FlashPlaced:
    asked_at = time.monotonic()
    try:
        return _groups(wish.slug).call(wish)
    except (SaleNotStarted, SoldOut, SaleEnded) as refusal:
        flash_sales.refusal_note(wish.slug, refusal, asked_at=asked_at)
        raise


def _more_units(run_id: int) -> bool:
    """Whether there are units after all: of buyers whose time is over, or such as the gate does
    not know of.
    """
    if expire_all(flash_reads.overdue_order_ids(run_id)):
        return True
    if not flash_reads.has_free_units(run_id):
        return False
    flash_sales.gate_fill(run_id)
    return True


def _groups(slug: str) -> Together[Wish, FlashPlaced]:
    # A fixed number: one for each slug that anybody makes up would never end.
    return _LANES[hash(slug) % len(_LANES)]


def _carry_out(wishes: Sequence[Wish]) -> list[Answer]:
    """Answers in the order of the wishes, those of one sale and method in one transaction."""
    answers: list[Answer] = [KeyInUse(retry_after=1)] * len(wishes)
    for slug, method in dict.fromkeys((wish.slug, wish.method) for wish in wishes):
        mine = [i for i, wish in enumerate(wishes) if (wish.slug, wish.method) == (slug, method)]
        for place, answer in zip(mine, _answers([wishes[i] for i in mine]), strict=True):
            answers[place] = answer
    return answers


def _answers(wishes: Sequence[Wish]) -> list[Answer]:
    """Each tried with the gate's units, at last with what MySQL finds."""
    for attempt in range(TRIES):
        offered = _offered(wishes) if attempt < TRIES - 1 else None
        refused = offered.refused if offered is not None else {}
        going = [wish for place, wish in enumerate(wishes) if place not in refused]
        tried = _tried(going, offered) if going else []
        if tried is not None:
            others = iter(tried)
            return [refused.get(place) or next(others) for place in range(len(wishes))]
    return [Busy(retry_after=1)] * len(wishes) if len(wishes) == 1 else _one_by_one(wishes)


def _tried(wishes: Sequence[Wish], offered: Offered | None) -> list[Answer] | None:
    """None where it is to be tried again.

    A unit that the gate was wrong about is taken out of it before. Where somebody has just taken a
    slot, each wish alone finds out whether it was its own.
    """
    answers: list[Answer] | None = None
    try:
        answers = _place(wishes, offered)
    except UnitsTaken:
        if offered is not None:
            flash_sales.gate_correct(offered.run_id, offered.units)
            offered = None
    except IntegrityError:
        answers = None if len(wishes) == 1 else _one_by_one(wishes)
    except Exception as error:
        answers = [error] * len(wishes)
    finally:
        if offered is not None:
            _settle(offered, wishes, answers or [])
    return answers


def _one_by_one(wishes: Sequence[Wish]) -> list[Answer]:
    return [answer for wish in wishes for answer in _answers([wish])]


def _offered(wishes: Sequence[Wish]) -> Offered | None:
    """Units of the gate, where this process knows the run that was open a moment ago."""
    run_id = _RUNS.get(wishes[0].slug)
    if run_id is None:
        return None
    handed = flash_sales.gate_claim(run_id, _wanted(wishes))
    if handed is None:
        return None
    over = {
        place: UserLimitReached(limit=k.limit, left=k.left) for place, k in handed.refused.items()
    }
    return Offered(run_id, handed.units, over)


def _wanted(wishes: Sequence[Wish]) -> list[Wanted]:
    return [Wanted(wish.user_id, wish.quantity) for wish in wishes]


def _settle(offered: Offered, wishes: Sequence[Wish], answers: Sequence[Answer]) -> None:
    """Tell the gate what became of its units, and who may have no more.

    What an unknown COMMIT has taken, MySQL knows.
    """
    placed = [a for a in answers if isinstance(a, FlashPlaced) and a.run.pk == offered.run_id]
    taken = {number for bought in placed for number in bought.units}
    flash_sales.gate_settle(
        offered.run_id,
        used=[unit for unit in offered.units if unit[1] in taken],
        unused=[unit for unit in offered.units if unit[1] not in taken],
    )
    flash_sales.gate_remember(offered.run_id, _over_limit(wishes, answers))


def _over_limit(wishes: Sequence[Wish], answers: Sequence[Answer]) -> list[tuple[Wanted, Limit]]:
    """Who was refused for what is committed, not for a wish of his own that may have failed."""
    calls = Counter(wish.user_id for wish in wishes)
    return [
        (wanted, Limit(answer.limit, answer.left))
        for wanted, answer in zip(_wanted(wishes), answers, strict=False)
        if isinstance(answer, UserLimitReached) and calls[wanted.user_id] == 1
    ]


@transactional
def _place(wishes: Sequence[Wish], offered: Offered | None) -> list[Answer]:
    """All wishes of one sale and method; what stays unrefused is written.

    Locks: run (shared), units, idempotency keys, accounts; then new rows.
    """
    entered = _enter(wishes[0].slug, offered)
    run = entered.run
    # Another run has opened since: the gate's units are not of this one.
    units = offered.units if offered is not None and offered.run_id == run.pk else None
    answers, going = _chosen(run, wishes, units)
    going = _unrefused(answers, going, partial(_check_room, run))
    purses = None
    if wishes[0].method == Method.WALLET:
        purses = Purses({one.wish.user_id for one in going}, orders.CURRENCY)
        going = _unrefused(answers, going, lambda one: purses.take(one.wish.user_id, one.total))
    lost = idempotency.bind_many(
        {one.wish.claim: one.number for one in going if one.wish.claim}, status=201
    )
    going = _unrefused(answers, going, partial(_check_claim, lost, purses))
    if going:
        _RUNS[going[0].wish.slug] = run.pk
        for one, placed in zip(going, _write(run, entered, going, purses), strict=True):
            answers[one.place] = placed
    return answers


def _enter(slug: str, offered: Offered | None) -> OpenRun:
    """The run of the gate if that is still open, which saves looking for the one that is."""
    if offered is not None:
        with suppress(SaleEnded):
            entered = flash_sales.run_enter(offered.run_id)
            if entered.run.sale.slug == slug:
                return entered
    return flash_sales.run_enter(flash_reads.run_to_buy(flash_reads.sale_get(slug)).pk)


def _chosen(
    run: FlashRun, wishes: Sequence[Wish], units: Sequence[tuple[int, int]] | None
) -> tuple[list[Answer], list[Going]]:
    answers: list[Answer] = []
    going: list[Going] = []
    for place, found in enumerate(flash_sales.units_choose(run, _wanted(wishes), units)):
        answers.append(found if isinstance(found, Exception) else KeyInUse(retry_after=1))
        if isinstance(found, Chosen):
            going.append(Going(place, wishes[place], found, ids.order_number(), 0))
    return answers, _unrefused(answers, going, partial(_add_total, run))


def _add_total(run: FlashRun, one: Going) -> None:
    one.total = orders.total_of(Demand(flash_reads.priced(run), one.wish.quantity))


def _check_room(run: FlashRun, one: Going) -> None:
    if run.sale.admission_rate is not None and not one.wish.admitted:
        _ROOMS.add(one.wish.slug)
        raise RoomUnasked


def _check_claim(lost: set[Claim], purses: Purses | None, one: Going) -> None:
    if one.wish.claim in lost:
        if purses is not None:
            purses.give(one.wish.user_id, one.total)
        raise KeyInUse(retry_after=1)


def _unrefused(
    answers: list[Answer], going: list[Going], check: Callable[[Going], None]
) -> list[Going]:
    """Those whom `check` does not refuse; the others have their answer."""
    left = []
    for one in going:
        try:
            check(one)
        except (SoukError, RoomUnasked) as refusal:
            answers[one.place] = refusal
        else:
            left.append(one)
    return left


def _write(
    run: FlashRun, entered: OpenRun, going: Sequence[Going], purses: Purses | None
) -> list[FlashPlaced]:
    product = flash_reads.priced(run)
    demands = [[Demand(product, one.wish.quantity)] for one in going]
    made = orders.orders_create(
        run_id=run.pk,
        wanted=[
            NewOrder(one.number, one.wish.user_id, demand)
            for one, demand in zip(going, demands, strict=True)
        ],
        now=entered.now,
        hold_seconds=settings.FLASH_HOLD_SECONDS,
        paid=purses is not None,
    )
    flash_sales.units_write(
        open_run=entered,
        chosen=[(order.pk, one.chosen) for order, one in zip(made, going, strict=True)],
        paid=purses is not None,
    )
    return [
        FlashPlaced(Placed(order, payment, demand), run, list(one.chosen.numbers))
        for one, order, payment, demand in zip(
            going, made, _pay(made, going, purses), demands, strict=True
        )
    ]


def _pay(made: Sequence[Order], going: Sequence[Going], purses: Purses | None) -> Sequence[Payment]:
    openings = [
        Opening(o, one.wish.request_id, one.wish.terms) for o, one in zip(made, going, strict=True)
    ]
    if purses is None:
        return intake.payments_open(openings, method=going[0].wish.method)
    return intake.payments_from_wallet(openings, purses=purses)


_LANES: Final = [Together(_carry_out) for _ in range(8)]
