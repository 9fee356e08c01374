"""Cells that no spreadsheet runs, and the file around them."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import sheets

RUN = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "'=1", "''=1"]


@pytest.mark.parametrize("value", RUN)
def test_what_a_spreadsheet_would_run_has_an_apostrophe_in_front(value: str) -> None:
    assert sheets.text(value) == f"'{value}"


@pytest.mark.parametrize("value", ["", "lamp", "1-2", "it's", "'quoted'", "a=b", "5"])
def test_other_text_stays_as_it_is(value: str) -> None:
    assert sheets.text(value) == sheets.plain(value) == value


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\n a1＝")))
def test_every_text_comes_back_as_it_was(value: str) -> None:
    assert sheets.plain(sheets.text(value)) == value


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2)))
def test_rows_are_read_as_they_were_written(rows: list[list[str]]) -> None:
    text = sheets.lines(rows)
    assert list(csv.reader(io.StringIO(text, newline=""), strict=True)) == rows


def test_a_line_ends_as_rfc_4180_says_and_quotes_what_it_must() -> None:
    assert sheets.lines([['a"b', "c,d"], ["x\ny", "z"]]) == '"a""b","c,d"\r\n"x\ny",z\r\n'
