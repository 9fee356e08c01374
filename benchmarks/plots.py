"""Results as pictures for docs/performance.md: a bar for each way, with the spread of its rounds.

python -m benchmarks.plots        all of benchmarks/results, the newest of each name
"""

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results"
IMAGES: Final = ROOT / "docs" / "images"

# In pixels: names on the left, bars in the middle, figures behind them.
NAMES, BARS, FIGURES = 300, 420, 140
ROW, BAR, TOP = 30, 16, 40
STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#2b1a10}.t{font-weight:600;font-size:15px}"
    ".b{fill:#a5612d}.e{fill:#d9c3a5}.s{stroke:#2b1a10;stroke-width:1.5}"
    "@media(prefers-color-scheme:dark){text{fill:#f3e9dc}.s{stroke:#f3e9dc}.p{fill:#1d1510}}"
)


def draw(name: str, rounds: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """An SVG; what a way is compared with is drawn paler."""
    rates = {way: [one["per_second"] for one in each] for way, each in rounds.items() if each}
    most = max((max(each) for each in rates.values()), default=0) or 1
    height = TOP + ROW * len(rates) + 10
    width = NAMES + BARS + FIGURES
    told = "; ".join(f"{way}: {_median(each)} per second" for way, each in rates.items())
    rows = [
        _row(way, each, TOP + ROW * n, BARS / most) for n, (way, each) in enumerate(rates.items())
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            f'aria-labelledby="t d"><title id="t">{escape(name)}, answers per second</title>',
            f'<desc id="d">{escape(told)}</desc><style>{STYLE}</style>',
            f'<rect class="p" width="{width}" height="{height}" fill="#fffdf9"/>',
            f'<text class="t" x="10" y="24">{escape(name)}: answers per second</text>',
            *rows,
            "</svg>",
            "",
        ]
    )


def _row(way: str, rates: Sequence[float], y: int, scale: float) -> str:
    middle = y + BAR / 2
    low, median, high = (f(rates) * scale for f in (min, statistics.median, max))
    kind = "e" if way.startswith(("empty", "bare", "raw")) else "b"
    return (
        f'<text x="{NAMES - 10}" y="{y + 13}" text-anchor="end">{escape(way)}</text>'
        f'<rect class="{kind}" x="{NAMES}" y="{y}" width="{max(1, median):.1f}" height="{BAR}"/>'
        f'<path class="s" d="M{NAMES + low:.1f} {middle}H{NAMES + high:.1f}"/>'
        f'<text x="{NAMES + high + 8:.1f}" y="{y + 13}">{_median(rates)}</text>'
    )


def _median(rates: Sequence[float]) -> str:
    found = statistics.median(rates)
    return f"{found:,.0f}" if found >= 20 else f"{found:.1f}"


def newest() -> dict[str, Path]:
    """The newest result of each name; a name may have dashes, its date has two."""
    found = sorted(RESULTS.glob("*-????-??-??.json"))
    return {path.stem[:-11]: path for path in found}


def keep(name: str, rounds: Mapping[str, Any]) -> Path:
    path = IMAGES / f"bench-{name}.svg"
    path.write_text(draw(name, rounds))
    return path


def main() -> int:
    for name, path in newest().items():
        rounds = json.loads(path.read_text()).get("rounds", {})
        each = [one for found in rounds.values() for one in found]
        if each and all("per_second" in one for one in each):
            print(keep(name, rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
