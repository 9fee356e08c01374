"""The figures of the made-up calls, after the tests; also with several processes."""

from collections import Counter
from typing import Any

import pytest

from payments.chain import gateway
from tests.factories.chain import in_process
from tests.fuzz.size import CASES, MANY


@pytest.fixture(autouse=True)
def _chain_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens at CHAIN_RPC_URL here."""
    monkeypatch.setattr(gateway, "_post", lambda body: in_process(body)[1])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    found = sorted(_figures(terminalreporter), key=lambda row: str(row["operation"]))
    if not found:
        return
    statuses = Counter[int]()
    for row in found:
        spread = {int(status): count for status, count in row["statuses"].items()}
        statuses.update(spread)
        if CASES >= MANY:
            terminalreporter.write_line(f"{row['operation']:58} {_spelt(spread)}")
    terminalreporter.write_line(f"fuzz: {statuses.total()} calls; {_spelt(statuses)}")


def _figures(reporter: Any) -> list[dict[str, Any]]:
    reports = [*reporter.getreports("passed"), *reporter.getreports("failed")]
    return [value for report in reports for name, value in report.user_properties if name == "fuzz"]


def _spelt(statuses: dict[int, int]) -> str:
    return ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
