"""A Chromium for the browser tests: the machine's own, or Debian's package.

    python .ci/browser.py               where it is; installs it with apt-get where that is possible
    TEST_CHROMIUM=/path/to/chromium     takes that one

Playwright drives it; the one that Playwright would download is not needed.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# No call home, and none of what a container has no room for.
FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-gpu",
)
INSTALL = ("apt-get", "-qq", "install", "-y", "--no-install-recommends", "chromium")


def chromium() -> str:
    """The program. SystemExit where none can be had, with the one command to run."""
    found = os.environ.get("TEST_CHROMIUM") or _on_path()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print(
            "Installing chromium with apt-get, for the browser tests", file=sys.stderr, flush=True
        )
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (("apt-get", "-qq", "update"), INSTALL):
            subprocess.run(words, env=environment, check=False, stdout=sys.stderr)
        found = _on_path()
    if found is None:
        raise SystemExit(
            "No Chromium for the browser tests. Run this once, then again what you ran:\n"
            "  sudo apt-get install -y chromium\n"
            "or name one that you have: TEST_CHROMIUM=/path/to/chromium make test"
        )
    return found


def _on_path() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


if __name__ == "__main__":
    print(chromium())
