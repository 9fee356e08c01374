"""`make prove`: a proof whose control fails, or is missing, fails the run; the page says so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import prove

pytest_plugins = ["pytester"]

GUARDED = """
import pytest

@pytest.mark.proof("Last unit", size="2 buyers", control="{control}", runs={runs})
def test_one_buys():
    assert {sold} == 1

@pytest.mark.parametrize("buyers", [2, 3])
def test_control_both_buy(buyers):
    assert {harm}
"""
Run = Callable[..., tuple[int, str]]
# Not measured, since an end of the inner run would be the end of the measuring.
APART = ("-p", "no:django", "-p", "no:slipcover")


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of its own with the plugin: its exit code, and the page that it wrote."""
    page = Path(pytester.path) / "proofs.md"
    monkeypatch.setattr(prove, "PAGE", page)
    monkeypatch.setattr(prove, "ROOT", Path(pytester.path))
    monkeypatch.setattr(prove, "PROVE", True)
    pytester.makeini("[pytest]\nmarkers =\n    proof\n")

    def once(*options: str, **more: Any) -> tuple[int, str]:
        words = {"control": "test_control_both_buy", "runs": 1, "sold": 1, "harm": "buyers > 1"}
        pytester.makepyfile(test_sale=GUARDED.format(**words | more))
        ended = pytester.inline_run("-p", "tests.prove", *APART, *options)
        return int(ended.ret), page.read_text() if page.exists() else ""

    return once


def test_a_proof_with_its_control_passes_and_is_a_row(run: Run) -> None:
    code, page = run()
    assert code == pytest.ExitCode.OK
    assert "| Last unit<br>`test_sale.py::test_one_buys` | 2 buyers | 1 | passed |" in page
    assert "`test_sale.py::test_control_both_buy`: passed |" in page


def test_what_ran_in_another_process_is_on_the_page(run: Run) -> None:
    code, page = run("-n", "1", "-p", "no:schemathesis", harm="buyers > 2")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "| Last unit<br>`test_sale.py::test_one_buys` | 2 buyers | 1 | passed |" in page
    assert "`test_sale.py::test_control_both_buy`: 1 failed, 1 passed |" in page


def test_a_proof_runs_as_often_as_it_asks(run: Run) -> None:
    code, page = run(runs=5)
    assert code == pytest.ExitCode.OK
    assert "| 2 buyers | 5 | passed |" in page


def test_a_control_that_fails_fails_the_run(run: Run) -> None:
    code, page = run(harm="buyers > 2")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "`test_sale.py::test_control_both_buy`: 1 failed, 1 passed |" in page


@pytest.mark.parametrize("skip", ["pytest.skip('no MySQL')", "pytest.xfail('later')"])
def test_a_control_that_was_left_out_fails_the_run(run: Run, skip: str) -> None:
    code, page = run(harm=skip)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "`test_sale.py::test_control_both_buy`: 2 skipped |" in page


@pytest.mark.parametrize("control", ["test_control_that_is_gone", "tests/gone.py::test_gone"])
def test_a_control_that_does_not_exist_fails_the_run(run: Run, control: str) -> None:
    code, page = run(control=control)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert f"{control}`: did not run |" in page


def test_a_control_that_was_not_chosen_fails_the_run(run: Run) -> None:
    assert run("-k", "one_buys")[0] == pytest.ExitCode.TESTS_FAILED


def test_a_proof_that_fails_fails_the_run(run: Run) -> None:
    code, page = run(sold=2)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "| 2 buyers | 1 | 1 failed |" in page


def test_a_run_that_collects_nothing_leaves_the_page_alone(run: Run) -> None:
    code, page = run("-k", "nothing")
    assert (code, page) == (pytest.ExitCode.NO_TESTS_COLLECTED, "")


def test_a_run_of_some_proofs_replaces_their_rows_alone(
    run: Run, pytester: pytest.Pytester
) -> None:
    run()
    pytester.path.joinpath("test_other.py").write_text(
        GUARDED.format(control="test_control_both_buy", runs=2, sold=1, harm="True").replace(
            "Last unit", "First unit"
        )
    )
    _, page = run("test_other.py")
    assert "| Last unit<br>`test_sale.py::test_one_buys` | 2 buyers | 1 | passed |" in page
    assert "| First unit<br>`test_other.py::test_one_buys` | 2 buyers | 2 | passed |" in page
    _, page = run("test_sale.py", sold=2)
    assert "| Last unit<br>`test_sale.py::test_one_buys` | 2 buyers | 1 | 1 failed |" in page
    assert page.count("<br>") == 2


def test_the_row_of_a_test_that_is_gone_is_gone(run: Run, pytester: pytest.Pytester) -> None:
    _, page = run()
    Path(pytester.path, "proofs.md").write_text(page.replace("test_one_buys", "test_nobody_buys"))
    _, page = run()
    assert "test_nobody_buys" not in page
    assert page.count("\n- ") == 1


@pytest.mark.parametrize(
    ("scale", "runs"), [(1.0, 20), (0.1, 2), (0.01, 1)], ids=["full", "tenth", "hundredth"]
)
def test_runs_follow_the_scale_and_are_one_at_least(
    monkeypatch: pytest.MonkeyPatch, scale: float, runs: int
) -> None:
    monkeypatch.setattr(prove, "PROVE", True)
    monkeypatch.setattr(prove, "SCALE", scale)
    assert prove.scaled(20) == runs


def test_the_row_of_a_test_in_a_class_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prove, "ROOT", tmp_path)
    (tmp_path / "test_a.py").write_text("class TestLamp:\n    def test_sold(self): ...\n")
    line = "| Lamp<br>`test_a.py::TestLamp::test_sold` | 1 | 1 | passed | 1.0 | `x`: passed | now |"
    assert prove.kept(f"{line}\n") == {"test_a.py::TestLamp::test_sold": line}
