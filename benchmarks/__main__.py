"""How fast is the shop, beside what? `make bench`, `make bench NAME=orders ROUNDS=5 SECONDS=4`.

    python -m benchmarks [NAME …]

Each scenario starts servers of its own (a durable MySQL, Redis, granian with two processes,
Stripe's sandbox), fills them, and asks each way in turn, in another order each round, so that a
change of load meets all of them. Prints medians with their spread, and writes
benchmarks/results/NAME-DATE.md and .json, and the picture docs/images/bench-NAME.svg. Exit code 1
where anything is not exact; a target that is missed is told, and no error.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import measures, plots, report, scenarios
from benchmarks.load import Crowd, Scenario, Way, drive
from benchmarks.shape import ROOT, Shape, say, shape

ROUNDS = int(os.environ.get("ROUNDS") or 5)
SECONDS = float(os.environ.get("SECONDS") or 4)


def rounds_of(served: Shape, crowd: Crowd, ways: Sequence[Way]) -> dict[str, list[report.Round]]:
    results: dict[str, list[report.Round]] = {way.name: [] for way in ways}
    for way in ways:
        drive(served, crowd, way, 1.0)
    for number in range(ROUNDS):
        turn = number % len(ways)
        for way in (*ways[turn:], *ways[:turn]):
            found = report.measured(drive(served, crowd, way, SECONDS), way)
            results[way.name].append(found)
            say(f"round {number + 1} of {ROUNDS}: {way.name}: {report.line(found)}")
    return results


def run(name: str, scenario: Scenario) -> list[str]:
    """What was not exact."""
    say(f"{name}: servers and data")
    with shape() as served:
        ways = scenario.prepare(served)
        served.start_web()
        results = rounds_of(served, Crowd(served.ends), ways)
        wrong = [one["inexact"] for each in results.values() for one in each if "inexact" in one]
        if scenario.exact:
            wrong += served.breaches()
        facts = {"rounds": ROUNDS, "seconds": SECONDS, **served.versions, **report.machine()}
    _tell(name, scenario, results, facts, wrong)
    return wrong


def _tell(name: str, scenario: Scenario, results: Any, facts: Any, wrong: list[str]) -> None:
    lines = report.page(name, scenario.about, results, scenario.ratios, facts=facts, wrong=wrong)
    print("\n".join(lines), flush=True)
    report.keep(name, lines, {"about": facts, "wrong": wrong, "rounds": results})
    plots.keep(name, results)


def _measured(name: str, what: Scenario | measures.Measure) -> list[str]:
    return run(name, what) if isinstance(what, Scenario) else what()


def _apart(name: str) -> list[str]:
    """In a process of its own: Django's settings are those of one set of servers."""
    done = subprocess.run([sys.executable, "-m", "benchmarks", name], cwd=ROOT, check=False)
    return [f"{name} ended with {done.returncode}"] if done.returncode else []


def main(words: Sequence[str]) -> int:
    known: dict[str, Scenario | measures.Measure] = {**scenarios.all(), **measures.ALL}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    names = parser.parse_args(words).names or list(known)
    if unknown := set(names) - set(known):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    if len(names) > 1:
        wrong = [each for name in names for each in _apart(name)]
    else:
        wrong = _measured(names[0], known[names[0]])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
