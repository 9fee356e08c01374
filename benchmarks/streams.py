"""2,000 listeners of a sale watch 1,000 units sell, as fast as they go and at two paces.

Listeners, buyers, the stream process, MySQL and Redis share the machine. Delays are from the commit
of a purchase. It is `test_every_listener_sees_the_last_unit_go_and_nothing_stale` in full size, and
fails as that does.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as Xml

from benchmarks import report
from benchmarks.shape import ROOT, say

# Units a second; 0: as fast as they go.
PACES: Final = (0, 40, 20)
TEST: Final = "tests/faults/test_stream.py"


def run() -> list[str]:
    found = {pace: _at(pace) for pace in PACES}
    wrong = [f"at {pace} a second: it failed" for pace, shown in found.items() if not shown]
    facts = report.machine()
    lines = _page(found, facts, wrong)
    print("\n".join(lines), flush=True)
    report.keep("stream", lines, {"about": facts, "wrong": wrong, "shown": found})
    return wrong


def _at(pace: int) -> str:
    """What the test shows of itself; nothing where it fails."""
    say(f"stream: {pace or 'as many as may be'} a second")
    with tempfile.TemporaryDirectory(prefix="souk-bench-") as folder:
        told = Path(folder) / "told.xml"
        argv = [sys.executable, ".ci/servers.py", "run", "--", sys.executable, "-m", "pytest", TEST]
        argv += ["-k", "every_listener", "--timeout", "600", f"--junitxml={told}"]
        environment = os.environ | {"PROVE": "1", "PACE": str(pace)}
        done = subprocess.run(argv, cwd=ROOT, env=environment, check=False)
        return _shown(told) if not done.returncode else ""


def _shown(told: Path) -> str:
    properties = Xml.parse(told).getroot().iter("property")
    return next(str(each.get("value")) for each in properties if each.get("name") == "shown")


def _page(found: dict[int, str], facts: dict[str, Any], wrong: list[str]) -> list[str]:
    return [
        *report.heading("stream", __doc__, facts),
        *(
            f"- {f'{pace} a second' if pace else 'As fast as they go'}: {shown or 'failed'}."
            for pace, shown in found.items()
        ),
        *(f"NOT EXACT: {each}" for each in wrong),
    ]
