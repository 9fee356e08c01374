"""Calls made up from the OpenAPI document: no 5xx, and no answer that the document does not have.

FUZZ_CASES is how many in all at most, spread over the operations: one without parameters and body
has few different calls, so that 11,000 (`make fuzz`) are about 10,000. Few are the same ones each
time, so that `make test` does not fail by chance; many are new ones.
"""

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from common.errors import Busy
from payments.market.live.inline import streams
from tests.factories.orders import own_rollbacks, settled
from tests.fuzz.calls import KINDS, answer, callers, cases, document, judge, operations
from tests.fuzz.seeded import Seeded
from tests.fuzz.size import CASES, MANY

__all__ = ["own_rollbacks", "settled"]
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox", "short_streams"),
]

OPERATIONS = operations(document())


@pytest.fixture
def short_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are answered, and end: the caller reads an answer to its end, and prices have none."""

    async def full(*_: Any) -> Any:
        raise Busy

    monkeypatch.setattr(streams, "join", full)


def share() -> int:
    """The calls of one kind to one operation."""
    return -(-CASES // (len(OPERATIONS) * len(KINDS)))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda found: found.label)
def test_every_operation_succeeds_and_refuses_as_the_document_says(
    operation: Any, record_property: Any
) -> None:
    shop = Seeded(operation.method.upper(), operation.path)
    statuses = Counter[int]()

    def calls(kind: str) -> None:
        @settings(
            max_examples=share(),
            derandomize=CASES < MANY,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(made=st.data(), caller=callers(shop, kind))
        def call(made: Any, caller: str) -> None:
            shop.next_call()
            case = made.draw(cases(operation, shop, kind))
            found = answer(case, shop.token(caller))
            statuses[found.status_code] += 1
            judge(case, found)

        call()

    try:
        for kind in KINDS:
            calls(kind)
    finally:
        record_property("fuzz", {"operation": operation.label, "statuses": dict(statuses)})
    reached = {status // 100 for status in statuses}
    assert reached >= {2, 4}, statuses
