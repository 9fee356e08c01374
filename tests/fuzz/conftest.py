"""The figures of the made-up calls, after the tests; also with several processes."""

from collections import Counter
from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if "/fuzz/" in report.nodeid
    ]
    statuses: Counter[int] = Counter()
    for report in reports:
        statuses.update(
            {int(k): v for k, v in dict(report.user_properties).get("statuses", {}).items()}
        )
    if statuses:
        spread = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
        terminalreporter.write_line(f"fuzz: {statuses.total()} calls; {spread}")
