"""A file of products before anybody looks what is in it, and a cell of an export."""

from datetime import UTC, datetime
from typing import Any

import pytest

from payments.exports.rules import Cell, Column, percent
from shop.imports import rules
from shop.imports.rules import Unreadable

KNOWN = ("name", "sku", "slug", "price")


def read(raw: bytes) -> str:
    names, _ = rules.table(rules.decoded(raw), most=10)
    return rules.key_of(names, KNOWN)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", ("empty_file", 0)),
        (b"\xef\xbb\xbf", ("empty_file", 0)),
        (b"\r\n\r\n", ("empty_file", 0)),
        (b"sku,price\r\n", ("no_rows", 0)),
        (b"sku,price\n,\n \n", ("no_rows", 0)),
        (b"sku,colour\nA,red\n", ("unknown_column", 1)),
        (b"sku,SKU\nA,B\n", ("duplicate_column", 1)),
        (b"name,price\nA,1\n", ("missing_column", 1)),
        (b"sku,name\nA,caf\xe9\n", ("not_utf8", 2)),
        (b"sku,name\nA,\xff\xfe\n", ("not_utf8", 2)),
        (b"sku,name\nA,b\nB,\x00\n", ("null_characters", 3)),
        ("sku\nA\n".encode("utf-16-le"), ("null_characters", 1)),
        ("sku\nA\n".encode("utf-32"), ("null_characters", 1)),
        (b'sku,name\nA,"open\n', ("malformed", 2)),
        (b'sku,name\nA,b\nB,"x"y\n', ("malformed", 3)),
        (b"sku,name\nA," + b"x" * 140_000, ("malformed", 2)),
        (b"sku,name\nA," + b"," * 200_000, ("malformed", 2)),
        (b"sku\n" + b"A\n" * 11, ("too_many_rows", 0)),
        (b"sku\n" + b"\n" * 101, ("too_many_rows", 0)),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_its_line(
    raw: bytes, expected: tuple[str, int]
) -> None:
    with pytest.raises(Unreadable) as refused:
        read(raw)
    assert (refused.value.wrong.code, refused.value.wrong.row) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_spreadsheets_save_is_read(encoding: str, delimiter: str, end: str) -> None:
    text = end.join(delimiter.join(row) for row in (("SKU ", "Name"), ("A", "ü"), ("", ""), "BC"))
    names, rows = rules.table(rules.decoded(text.encode(encoding)), most=10)
    assert names == ["sku", "name"]
    # A blank row counts, as it does for who looks for row 4.
    assert rows == [(2, ["A", "ü"]), (4, ["B", "C"])]


def test_a_form_feed_or_a_paragraph_sign_ends_no_row() -> None:
    _, rows = rules.table("sku,name\nA,b\x0cc\u2028d\n", most=10)
    assert rows == [(2, ["A", "b\x0cc\u2028d"])]


@pytest.mark.parametrize(
    ("column", "row", "cell"),
    [
        (Column("a", "a"), {"a": "=1"}, "'=1"),
        (Column("a", "a"), {"a": None}, ""),
        (Column("a", "a", Cell.NUMBER), {"a": -5}, "-5"),
        (Column("a", "a", Cell.MONEY, "c"), {"a": -500, "c": "USD"}, "-5.00"),
        (Column("a", "a", Cell.MONEY, "c"), {"a": 1, "c": "BTC"}, "0.00000001"),
        (Column("a", "a", Cell.FINE), {"a": 4 * 10**18}, "4.00"),
        (Column("a", "a", Cell.FINE), {"a": 10**18 // 8 + 1}, "0.125000000000000001"),
        (Column("a", "a", Cell.FLAG), {"a": True}, "true"),
        (Column("a", "a", Cell.MISSING), {"a": None}, "true"),
        (
            Column("a", "a", Cell.MOMENT),
            {"a": datetime(2026, 1, 2, tzinfo=UTC)},
            "2026-01-02T00:00:00Z",
        ),
    ],
)
def test_a_cell_is_written_by_its_kind(column: Column, row: dict[str, Any], cell: str) -> None:
    assert column.write(row) == cell


def test_only_a_whole_file_is_at_a_hundred() -> None:
    assert [percent("running", n, 3) for n in (0, 1, 3)] == [0, 33, 99]
    assert percent("running", 0, 0) == percent("pending", 0, None) == 0
    assert percent("done", 0, 0) == 100
