"""Loaded by `make prove` alone: runs proofs as often as they ask, and writes docs/proofs.md.

A proof names its control, the test that shows what happens without the guard. The run fails when
that test did not run or did not pass. A run of some proofs replaces their rows alone.
"""

import os
import platform
import re
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.sizes import PROVE, SCALE

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "proofs.md"
# The test of a row, and the run that it is of.
ROW = re.compile(r"^\| .*?<br>`(?P<path>[^`:]+)::(?P<name>[^`]+)` \|.*\| (?P<when>[^|]+) \|$", re.M)
RUN = re.compile(r"^- (?P<when>[-0-9]+ [:0-9]+): .*$", re.M)


class Proof:
    """A row of the page: one marked test, all its runs and parameters."""

    def __init__(self, nodeid: str, what: str, size: str, control: str) -> None:
        self.what, self.size, self.nodeid = what, size, nodeid
        self.control = control if "::" in control else f"{nodeid.split('::')[0]}::{control}"


class Results:
    """Outcomes and seconds of every test by its name without parameters; the marked ones' rows."""

    def __init__(self) -> None:
        self.started, self.when = time.monotonic(), f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
        self.proofs: dict[str, Proof] = {}
        self.outcomes: dict[str, Counter[str]] = {}
        self.seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = bare(report.nodeid)
        self.seconds[name] += report.duration
        for kind, words in report.user_properties:
            if kind == "proof" and isinstance(words, list | tuple):
                self.proofs.setdefault(name, Proof(name, *words))
        if report.when == "call" or not report.passed:
            self.outcomes.setdefault(name, Counter())[report.outcome] += 1

    def runs(self, name: str) -> int:
        return self.outcomes.get(name, Counter()).total()

    def said(self, name: str) -> str:
        """`passed`, `3 failed, 17 passed` or `did not run`."""
        found = self.outcomes.get(name, Counter())
        if set(found) == {"passed"}:
            return "passed"
        return ", ".join(f"{n} {kind}" for kind, n in sorted(found.items())) or "did not run"


def bare(nodeid: str) -> str:
    return nodeid.split("[")[0]


RESULTS = pytest.StashKey[Results]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RESULTS] = Results()
    config.pluginmanager.register(config.stash[RESULTS])


def scaled(runs: int) -> int:
    return max(1, round(runs * SCALE)) if PROVE else 1


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker("proof")
    runs = scaled(marker.kwargs.get("runs", 1)) if marker else 1
    if runs > 1:
        metafunc.fixturenames.append("proof_run")
        metafunc.parametrize("proof_run", range(1, runs + 1))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have each report tell its row: of a process of xdist nothing else reaches the writer."""
    for item in items:
        if marker := item.get_closest_marker("proof"):
            row = (marker.args[0], marker.kwargs["size"], marker.kwargs["control"])
            item.user_properties.append(("proof", row))


def lacking(results: Results) -> list[str]:
    """Proofs that prove nothing: their control did not run, or did not pass."""
    return [
        f"{proof.what}: control {proof.control} {results.said(proof.control)}"
        for proof in results.proofs.values()
        if results.said(proof.control) != "passed"
    ]


def pytest_sessionfinish(session: pytest.Session) -> None:
    results = session.config.stash[RESULTS]
    if not results.outcomes or hasattr(session.config, "workerinput"):
        return
    if lacking(results) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    PAGE.write_text(page(results, PAGE.read_text() if PAGE.exists() else ""))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for line in lacking(config.stash[RESULTS]):
        terminalreporter.write_line(f"PROVES NOTHING  {line}", red=True)
    terminalreporter.write_line(f"written: {PAGE}")


def page(results: Results, before: str) -> str:
    """All rows: those of this run, and of `before` the ones that it did not run."""
    rows = {nodeid: line for nodeid, line in kept(before).items() if nodeid not in results.outcomes}
    rows |= {nodeid: row(proof, results) for nodeid, proof in results.proofs.items()}
    table = "\n".join(rows[nodeid] for nodeid in sorted(rows))
    runs = {found["when"]: found[0] for found in RUN.finditer(before)} | {
        results.when: run(results)
    }
    named = "\n".join(runs[when] for when in sorted(runs) if f"| {when} |" in table)
    return f"""# Proofs

Written by `make prove`; not edited by hand. Each proof stands beside its control: the same test
with the guard taken out, which has to find the harm. The last column is the run that a row is of:

{named}

| what | size | runs | outcome | seconds | the control that fails without the guard | run |
| --- | --- | --- | --- | --- | --- | --- |
{table}
"""


def kept(before: str) -> dict[str, str]:
    """The rows of a page whose tests are still there."""
    return {
        f"{found['path']}::{found['name']}": found[0]
        for found in ROW.finditer(before)
        if (file := ROOT / found["path"]).exists()
        # Of a test in a class, the last part alone stands in the file.
        and f"def {found['name'].rpartition('::')[2]}(" in file.read_text()
    }


def row(proof: Proof, results: Results) -> str:
    name = proof.nodeid
    cells = (
        f"{proof.what}<br>`{name}`",
        proof.size,
        str(results.runs(name)),
        results.said(name),
        f"{results.seconds[name]:.1f}",
        f"`{proof.control}`: {results.said(proof.control)}",
        results.when,
    )
    return f"| {' | '.join(cells)} |"


def run(results: Results) -> str:
    """When, where, how large, and what became of the tests that have no row."""
    controls = {proof.control for proof in results.proofs.values()}
    others = results.outcomes.keys() - results.proofs.keys() - controls
    total = sum((results.outcomes[name] for name in others), Counter[str]())
    minutes = (time.monotonic() - results.started) / 60
    return (
        f"- {results.when}: {_scale()}; {_machine()}; {minutes:.0f} minutes; "
        f"tests beside the rows and their controls: {_words(total)}"
    )


def _words(outcomes: Counter[str]) -> str:
    return ", ".join(f"{n} {kind}" for kind, n in sorted(outcomes.items())) or "none"


def _scale() -> str:
    if SCALE == 1:
        return "full sizes"
    return f"{SCALE:g} of the full sizes (`PROVE_SCALE`), and never less than `make test` takes"


def _machine() -> str:
    mysql, redis = (os.environ.get(f"TEST_{kind}_VERSION", "?") for kind in ("MYSQL", "REDIS"))
    return (
        f"{os.cpu_count()} processors ({platform.machine()}), "
        f"Python {platform.python_version()}, MySQL {mysql}, Redis {redis}"
    )
