"""Calls made up from the OpenAPI document: no 5xx, and no answer that the document does not have.

FUZZ_CASES is how many in all, spread over the operations (`make fuzz`: about 10,000). Few are the
same ones each time, so that `make test` does not fail by chance; many are new ones.
"""

import os
from collections import Counter
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.factories.orders import own_rollbacks, settled
from tests.fuzz.calls import KINDS, answer, callers, cases, document, judge, operations
from tests.fuzz.seeded import Seeded

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]

CASES = int(os.environ.get("FUZZ_CASES", "600"))
MANY = 5000
OPERATIONS = operations(document())
# Operations that never answer with the one or the other, and why.
NEVER: Final[dict[str, dict[int, str]]] = {}


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

    for kind in KINDS:
        calls(kind)
    record_property("fuzz", {"operation": operation.label, "statuses": dict(statuses)})
    reached = {status // 100 for status in statuses}
    assert reached >= {2, 4} - NEVER.get(operation.label, {}).keys(), statuses


def test_every_exception_is_an_operation() -> None:
    assert NEVER.keys() <= {found.label for found in OPERATIONS}
