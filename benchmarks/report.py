"""Figures of a benchmark: medians with their spread, ratios, the machine, and the files of it."""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks.load import Ratio, Way

RESULTS: Final = Path(__file__).resolve().parent / "results"
Round = dict[str, Any]
Rounds = Mapping[str, Sequence[Round]]


def measured(found: Round, way: Way) -> Round:
    """One round of one way; calls that were not answered as they should are `others`."""
    times = sorted(found.pop("times"))
    took, spent = found.pop("took"), found.pop("spent")
    count = found["statuses"].get(str(way.good), 0)
    each = {f"{name}_cpu_ms": round(ms / max(count, 1), 3) for name, ms in spent.items()}
    return {
        **found,
        "per_second": round(count / took, 1),
        "others": sum(found["statuses"].values()) - count,
        "p50_ms": quantile(times, 0.5),
        "p99_ms": quantile(times, 0.99),
        **each,
        "cpu_ms": round(sum(each.values()), 3),
    }


def quantile(times: Sequence[float], share: float) -> float:
    """Of sorted values; 0 where there are none."""
    return round(times[min(len(times) - 1, int(len(times) * share))], 2) if times else 0.0


def line(found: Round) -> str:
    return (
        f"{found['per_second']:.0f}/s, p50 {found['p50_ms']} ms, p99 {found['p99_ms']} ms, CPU-ms "
        f"app {found['app_cpu_ms']} mysqld {found['mysqld_cpu_ms']} redis {found['redis_cpu_ms']}"
        f", {found['statuses']}"
    )


def median(rounds: Sequence[Round], name: str) -> float:
    return statistics.median(one[name] for one in rounds) if rounds else 0.0


def ratio(rounds: Rounds, wanted: Ratio) -> float | None:
    """Of each round's own two figures, then the median: load of a moment met both."""
    above = [one[wanted.figure] for one in rounds.get(wanted.above, ())]
    below = [one[wanted.figure] for one in rounds.get(wanted.below, ())]
    each = [a / b for a, b in zip(above, below, strict=False) if b]
    return round(statistics.median(each), 3) if each else None


def machine() -> dict[str, Any]:
    cpus = [x for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "cores": os.cpu_count(),
        "cpu": cpus[0].split(":", 1)[1].strip() if cpus else platform.machine(),
        "system": platform.system() + " " + platform.release().split("-")[0],
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[2], 2),
        "commit": commit.stdout.strip(),
        **{name: version(name) for name in ("django", "djangorestframework", "granian")},
    }


def heading(name: str, about: str | None, facts: Mapping[str, Any]) -> list[str]:
    told = ", ".join(f"{key} {value}" for key, value in facts.items())
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    return [f"# {name}, {day}", "", (about or "").strip(), "", f"{told}.", ""]


def page(name: str, about: str, rounds: Rounds, ratios: Sequence[Ratio], **more: Any) -> list[str]:
    """The lines of a result; `more`: `facts` of the run, `wrong` for what was not exact."""
    return [
        *heading(name, about, more["facts"]),
        "Callers, server and databases share the machine. Medians of the rounds; trust the ratios.",
        "",
        "| way | per second | from-to | p50 ms | p99 ms | app CPU-ms | mysqld | redis |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_row(way, found) for way, found in rounds.items() if found),
        "",
        *_ratios(rounds, ratios),
        *(f"NOT EXACT: {each}" for each in more["wrong"]),
        *_others(rounds),
    ]


def _row(way: str, rounds: Sequence[Round]) -> str:
    rates = [one["per_second"] for one in rounds]
    costs = (median(rounds, f"{name}_cpu_ms") for name in ("app", "mysqld", "redis"))
    return (
        f"| {way} | {median(rounds, 'per_second'):,.0f} | {min(rates):,.0f}-{max(rates):,.0f} | "
        f"{median(rounds, 'p50_ms'):.1f} | {median(rounds, 'p99_ms'):.1f} | "
        + " | ".join(f"{cost:.2f}" for cost in costs)
        + " |"
    )


def _met(wanted: Ratio, value: float) -> str:
    return "" if not wanted.target else "yes" if wanted.holds(value) else "**no**"


def _ratios(rounds: Rounds, ratios: Sequence[Ratio]) -> list[str]:
    found = [(each, ratio(rounds, each)) for each in ratios]
    rows = [
        f"| {each.name} | {value} | {_target(each)} | {_met(each, value)} |"
        for each, value in found
        if value is not None
    ]
    return (
        ["| ratio | measured | target | met |", "| --- | --- | --- | --- |", *rows, ""]
        if rows
        else []
    )


def _target(wanted: Ratio) -> str:
    if wanted.target is None:
        return ""
    return f"{wanted.target:g} at {'most' if wanted.most else 'least'}"


def _others(rounds: Rounds) -> list[str]:
    found = {way: sum(one["others"] for one in each) for way, each in rounds.items()}
    return [
        f"{way}: {count} calls were answered otherwise." for way, count in found.items() if count
    ]


def keep(name: str, lines: Sequence[str], raw: Any) -> Path:
    """Write a result and its raw figures; the page's path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}-{datetime.now(UTC):%Y-%m-%d}.md"
    path.write_text("\n".join(lines).rstrip() + "\n")
    path.with_suffix(".json").write_text(json.dumps(raw, indent=1) + "\n")
    return path
