"""Figures of a benchmark: medians with their spread, ratios, the machine, and the files of it."""

import json
import os
import platform
import statistics
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
EMPTY, FLASH, PLAIN = "empty view", "flash purchase", "FOR UPDATE purchase"
OUT, PLAIN_OUT = "flash, sold out", "FOR UPDATE, sold out"
RATIOS = (
    ("flash purchase to empty view", FLASH, EMPTY, 0.5),
    ("flash purchase to FOR UPDATE purchase", FLASH, PLAIN, 10),
    ("refusal when sold out to empty view", OUT, EMPTY, 5),
    ("refusal when sold out to FOR UPDATE refusal", OUT, PLAIN_OUT, None),
)


def measure(found: dict[str, Any], good: str, seconds: float, spent: dict[str, float]) -> Any:
    """One round of one way; `good` is the status that counts."""
    times = sorted(found.pop("times"))
    count = found["statuses"].get(good, 0)
    others = sum(found["statuses"].values()) - count
    return {
        **found,
        "per_second": round(count / seconds, 1),
        "others": others,
        "p50_ms": _quantile(times, 0.5),
        "p99_ms": _quantile(times, 0.99),
        **{f"{name}_cpu_ms": round(ms / max(count, 1), 3) for name, ms in spent.items()},
    }


def _quantile(times: list[float], share: float) -> float:
    return round(times[min(len(times) - 1, int(len(times) * share))], 2) if times else 0.0


def line(found: dict[str, Any]) -> str:
    return (
        f"{found['per_second']:.0f}/s, p50 {found['p50_ms']} ms, p99 {found['p99_ms']} ms, CPU-ms "
        f"app {found['app_cpu_ms']} mysqld {found['mysqld_cpu_ms']} redis {found['redis_cpu_ms']}"
        f", {found['statuses']}"
    )


def _median(rounds: list[dict[str, Any]], name: str) -> float:
    return statistics.median(one[name] for one in rounds) if rounds else 0.0


def _row(way: str, rounds: list[dict[str, Any]]) -> str:
    rates = [one["per_second"] for one in rounds]
    return (
        f"| {way} | {_median(rounds, 'per_second'):,.0f} | {min(rates):,.0f}-{max(rates):,.0f} | "
        f"{_median(rounds, 'p50_ms'):.1f} | {_median(rounds, 'p99_ms'):.1f} | "
        f"{_median(rounds, 'app_cpu_ms'):.2f} | {_median(rounds, 'mysqld_cpu_ms'):.2f} | "
        f"{_median(rounds, 'redis_cpu_ms'):.2f} |"
    )


def _ratios(results: dict[str, list[dict[str, Any]]]) -> list[tuple[str, float, float | None]]:
    """Of each round's own two figures, then the median: load of a moment met both."""
    found = []
    for name, above, below, target in RATIOS:
        pairs = zip(results.get(above, []), results.get(below, []), strict=False)
        each = [a["per_second"] / b["per_second"] for a, b in pairs if b["per_second"]]
        if each:
            found.append((name, round(statistics.median(each), 3), target))
    return found


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
        "load_before": os.getloadavg()[2],
        "commit": commit.stdout.strip(),
        **{name: version(name) for name in ("django", "djangorestframework", "granian")},
    }


def write(
    results: dict[str, list[dict[str, Any]]],
    size: dict[str, Any],
    versions: dict[str, str],
    wrong: list[str],
) -> None:
    """Print the table and keep it with its raw figures."""
    about = {**size, **versions, **machine()}
    ratios = _ratios(results)
    text = "\n".join(_page(results, about, ratios, wrong))
    print(text)
    if os.environ.get("ONLY"):
        return
    RESULTS.mkdir(exist_ok=True)
    stem = RESULTS / f"flash-{datetime.now(UTC):%Y-%m-%d}"
    stem.with_suffix(".md").write_text(text + "\n")
    raw = {"about": about, "ratios": ratios, "wrong": wrong, "rounds": results}
    stem.with_suffix(".json").write_text(json.dumps(raw, indent=1) + "\n")


def _page(results: Any, about: Any, ratios: Any, wrong: list[str]) -> list[str]:
    flash = results.get(FLASH, [])
    tail = _median(flash, "p99_ms") / max(_median(flash, "p50_ms"), 0.001)
    cost = _median(flash, "app_cpu_ms") + _median(flash, "mysqld_cpu_ms")
    return [
        f"# Flash purchases, {datetime.now(UTC):%Y-%m-%d}",
        "",
        ", ".join(f"{name} {value}" for name, value in about.items()) + ".",
        "",
        "Buyers, server and databases share the machine. Medians of the rounds; trust the ratios.",
        "",
        "| way | per second | from-to | p50 ms | p99 ms | app CPU-ms | mysqld | redis |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_row(way, rounds) for way, rounds in results.items() if rounds),
        "",
        "| ratio | measured | target |",
        "| --- | --- | --- |",
        *(f"| {name} | {value} | {target or ''} |" for name, value, target in ratios),
        f"| p99 of a flash purchase to its p50 | {tail:.2f} | 3 at most |",
        f"| CPU-ms of a flash purchase, app + mysqld | {cost:.2f} | 1.5 at most |",
        "",
        "Exact in every round, all invariants hold."
        if not wrong
        else "NOT EXACT: " + "; ".join(wrong),
    ]
