"""Compare attempts with the venue's statement, mend what is safe, and say what is left.

What is mended goes through the same function as every answer, so that a second run, or two at
once, change nothing more.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from common import clock
from common.money import to_text
from payments.exchange import gateway, rules, selectors
from payments.exchange.gateway import Answer
from payments.exchange.models import ExchangeAttempt
from payments.exchange.rules import AttemptState
from payments.exchange.services.decide import members_settle
from payments.exchange.services.send import answer_record

# The venue's clock, and the pause between writing an attempt and sending it.
SLACK: Final = timedelta(hours=1)
# An attempt is on its way for so long before its absence at the venue says anything.
UNDER_WAY: Final = timedelta(minutes=5)
PAGE: Final = 100


def _silent(_: str) -> None:
    """Where nobody listens."""


@dataclass(slots=True)
class Report:
    """What was compared, mended (or would be) and left for people."""

    dry_run: bool
    say: Callable[[str], None] = _silent
    compared: int = 0
    mended: int = 0
    left: int = 0

    def tell_mended(self, about: str, text: str) -> None:
        self.mended += 1
        self.say(f"{'would mend' if self.dry_run else 'mended'}  {about}: {text}")

    def tell_left(self, about: str, text: str) -> None:
        self.left += 1
        self.say(f"left  {about}: {text}")

    def summary(self) -> str:
        done = "would be mended" if self.dry_run else "mended"
        return f"{self.compared} venue orders: {self.mended} {done}, {self.left} left"


def venue_reconcile(
    *, since: datetime, dry_run: bool = False, say: Callable[[str], None] = _silent
) -> Report:
    """Compare everything that was asked or bought since then. Raises Unreachable."""
    report, seen = Report(dry_run, say), set[str]()
    answers = iter(gateway.statement(since - SLACK))
    while page := list(islice(answers, PAGE)):
        seen |= {answer.client_order_id for answer in page}
        _compare(report, page)
    _look_for(report, selectors.attempts_since(since), seen)
    return report


def _compare(report: Report, page: Sequence[Answer]) -> None:
    known = selectors.attempts_known([answer.client_order_id for answer in page])
    for answer in page:
        report.compared += 1
        attempt = known.get(answer.client_order_id)
        if attempt is None:
            if answer.filled:
                report.tell_left(answer.client_order_id, f"{_of(answer)}, which is not here")
        elif attempt.state == AttemptState.ASKED:
            _mend(report, attempt, answer)
        elif attempt.filled != _units(attempt, answer):
            here = f"{to_text(attempt.filled, answer.currency)} here"
            report.tell_left(answer.client_order_id, f"{_of(answer)} at the venue, {here}")


def _of(answer: Answer) -> str:
    return f"{answer.filled:f} {answer.currency}"


def _units(attempt: ExchangeAttempt, answer: Answer) -> int:
    return rules.to_units(answer.filled, attempt.batch.currency.decimals)


def _mend(report: Report, attempt: ExchangeAttempt, answer: Answer) -> None:
    if not answer.is_final:
        return
    if not report.dry_run:
        answer_record(attempt_id=attempt.pk, answer=answer)
        members_settle(batch_id=attempt.batch_id)
    report.tell_mended(answer.client_order_id, f"the venue has {answer.status} it, {_of(answer)}")


def _look_for(report: Report, attempts: Iterable[ExchangeAttempt], seen: set[str]) -> None:
    """Attempts that the statement does not have."""
    now = clock.now()
    for attempt in attempts:
        name = attempt.client_order_id
        if name in seen or now - attempt.created_at < UNDER_WAY:
            continue
        if attempt.state == AttemptState.ASKED:
            _ask(report, attempt)
        elif attempt.filled:
            report.tell_left(name, "filled here, unknown to the venue")


def _ask(report: Report, attempt: ExchangeAttempt) -> None:
    """An old question may be about an order from before the statement."""
    answer = gateway.order_find(attempt.client_order_id)
    if answer is None:
        report.tell_left(attempt.client_order_id, "unanswered, and unknown to the venue: retry it")
    else:
        _mend(report, attempt, answer)
