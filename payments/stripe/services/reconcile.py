"""Compare payments, refunds and disputes with Stripe's, mend what is safe, and say what is left.

Stripe's lists are read page by page, a page's payments are read in a few queries, and where they
differ Stripe is asked again about that one payment: what was listed a moment ago may have been
settled meanwhile. Nothing is locked while Stripe is asked; what is mended goes through the same
functions as webhooks, so a second run, or two at once, change nothing more.
"""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, Protocol, TypeVar

from common import clock
from common.errors import SoukError
from payments.stripe import gateway, selectors, store
from payments.stripe.errors import NotYetKnown, Refused
from payments.stripe.selectors import Ours
from payments.stripe.services.differences import (
    Difference,
    Facts,
    Mend,
    differences,
    in_words,
)
from payments.stripe.services.disputes import dispute_apply
from payments.stripe.services.intents import intent_apply, intent_cancel, intent_save
from payments.stripe.services.refunds import refund_apply

T = TypeVar("T")
# Stripe sends an event again for three days: by then nothing else would tell.
DEFAULT_WINDOW: Final = timedelta(days=4)
# What the payment machine refuses is for people to look at.
_REFUSALS: Final = (SoukError, NotYetKnown, Refused)


def _silent(_: str) -> None:
    """Where nobody listens."""


@dataclass(slots=True)
class Report:
    """What was compared, mended (or would be) and left; sums in minor units by currency."""

    since: datetime
    dry_run: bool
    say: Callable[[str], None] = _silent
    compared: int = 0
    mended: int = 0
    left: int = 0
    at_stripe: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    in_books: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def tell_mended(self, about: str, difference: Difference) -> None:
        self.mended += 1
        self.say(f"{'would mend' if self.dry_run else 'mended'}  {about}: {difference.text}")

    def tell_left(self, about: str, text: str) -> None:
        self.left += 1
        self.say(f"left  {about}: {text}")

    def count(self, facts: Facts, ours: Ours) -> None:
        self.compared += 1
        if facts.intent and ours.intent_id == facts.intent_id:
            self.at_stripe[facts.intent.currency] += facts.money
            self.in_books[facts.intent.currency] += ours.clearing

    def summary(self) -> str:
        done = "would be mended" if self.dry_run else "mended"
        sums = [
            f"Stripe {in_words(held, name)}, clearing {in_words(self.in_books[name], name)}"
            for name, held in sorted(self.at_stripe.items())
        ]
        since = self.since.isoformat(timespec="seconds")
        head = f"{self.compared} payments since {since}: {self.mended} {done}, {self.left} left"
        return "; ".join([head, *sums])


def payments_reconcile(
    *,
    since: datetime,
    dry_run: bool = False,
    say: Callable[[str], None] = _silent,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Compare everything made or moved since then; `say` gets a line for each difference.

    Raises Unreachable where Stripe does not answer; what was mended until then stays.
    """
    report = Report(since, dry_run, say)
    refunds = _by_intent(gateway.list_refunds(since))
    disputes = _by_intent(gateway.list_disputes(since))
    seen = set[str]()
    for intents in _batches(gateway.list_intents(since)):
        seen |= {intent.id for intent in intents}
        _compare(
            report,
            [Facts(i.id, i, tuple(refunds[i.id]), tuple(disputes[i.id])) for i in intents],
        )
        progress(report.compared)
    older = (refunds.keys() | disputes.keys() | selectors.touched_intents(since)) - seen
    for names in _batches(sorted(older)):
        known = selectors.ours(dict.fromkeys(names, ""))
        _compare(report, [_ask(name) for name in names if name in known])
        progress(report.compared)
    return report


class _OfIntent(Protocol):
    @property
    def intent_id(self) -> str: ...


R = TypeVar("R", bound=_OfIntent)


def _by_intent(rows: Iterable[R]) -> dict[str, list[R]]:
    found: dict[str, list[R]] = defaultdict(list)
    for row in rows:
        found[row.intent_id].append(row)
    return found


def _batches(rows: Iterable[T]) -> Iterator[list[T]]:
    waiting = iter(rows)
    while batch := list(islice(waiting, gateway.PAGE)):
        yield batch


def _ask(intent_id: str) -> Facts:
    """An intent with all of its refunds and disputes, as they are now. Raises Unreachable."""
    try:
        intent = gateway.retrieve_intent(intent_id)
    except Refused as error:
        if error.code != "resource_missing":
            raise
        return Facts(intent_id, None)
    refunds, disputes = gateway.refunds_of(intent_id), gateway.disputes_of(intent_id)
    return Facts(intent_id, intent, tuple(refunds), tuple(disputes))


def _compare(report: Report, page: Sequence[Facts]) -> None:
    known = selectors.ours({facts.intent_id: facts.uid for facts in page})
    now = clock.now()
    for facts in page:
        try:
            _compare_one(report, facts, known.get(facts.intent_id), now)
        # KeyError: a status that this version of Stripe's API does not have.
        except (KeyError, *_REFUSALS) as error:
            report.tell_left(facts.intent_id, f"cannot be compared ({type(error).__name__})")


def _compare_one(report: Report, facts: Facts, ours: Ours | None, now: datetime) -> None:
    if ours is None:
        _tell_nobodys(report, facts)
    elif differences(facts, ours, now):
        _settle(report, facts.intent_id)
    else:
        report.count(facts, ours)


def _tell_nobodys(report: Report, facts: Facts) -> None:
    """Another shop may share the account: only an intent that names a payment is ours."""
    if facts.uid and facts.intent and facts.money:
        held = in_words(facts.money, facts.intent.currency)
        report.tell_left(facts.intent_id, f"{held} for payment {facts.uid}, which is not here")


def _settle(report: Report, intent_id: str) -> None:
    """Ask again about one payment that differs, mend it, and say what is left."""
    facts, ours, found = _look(intent_id)
    mendable = [each for each in found if each.mend is not Mend.NOTHING]
    if mendable and not report.dry_run:
        for difference in mendable:
            with contextlib.suppress(*_REFUSALS):  # it is still there at the second look
                _mend(facts, ours, difference)
        facts, ours, found = _look(intent_id)
    about, texts = f"{ours.payment.uid} {intent_id}", {each.text for each in found}
    for difference in mendable:
        if report.dry_run or difference.text not in texts:
            report.tell_mended(about, difference)
    for difference in found:
        if difference.mend is Mend.NOTHING or not report.dry_run:
            report.tell_left(about, difference.text)
    report.count(facts, ours)


def _look(intent_id: str) -> tuple[Facts, Ours, list[Difference]]:
    facts = _ask(intent_id)
    ours = selectors.ours({intent_id: facts.uid})[intent_id]
    return facts, ours, differences(facts, ours, clock.now())


def _mend(facts: Facts, ours: Ours, difference: Difference) -> None:
    """Tell the payment machine what Stripe has just told. Raises any of `_REFUSALS`."""
    if difference.mend is Mend.INTENT and facts.intent:
        intent_save(payment_id=ours.payment.pk, intent=facts.intent)
        intent_apply(payment_id=ours.payment.pk, intent=facts.intent)
    elif difference.mend is Mend.CANCEL:
        intent_cancel(payment_id=ours.payment.pk)
    elif difference.refund:
        refund_apply(difference.refund)
    elif difference.dispute:
        dispute_apply(difference.dispute)


def payments_reconcile_in_turn(*, say: Callable[[str], None]) -> Report | None:
    """The periodic run; None where another worker has had this hour's. Raises Unreachable."""
    if not store.take_turn("reconcile"):
        return None
    return payments_reconcile(since=clock.now() - DEFAULT_WINDOW, say=say)
