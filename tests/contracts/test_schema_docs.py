"""docs/schema.md and its picture say what the models say, and are missed where they do not."""

from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import models

from config.schema_docs import page, picture
from config.schema_docs.tables import foreign, tables
from shop.inventory.models import Stock

DOCS = Path(settings.BASE_DIR) / "docs"


def field_of(model: type[models.Model], name: str) -> models.Field:
    return model._meta.get_field(name)


def test_the_page_and_the_picture_are_up_to_date() -> None:
    call_command("schema_docs", check=True)


@pytest.mark.parametrize(
    ("name", "value"), [("null", True), ("column", "promised"), ("choices", [(1, "one")])]
)
def test_control_a_changed_column_makes_the_page_stale(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    monkeypatch.setattr(field_of(Stock, "held"), name, value)
    with pytest.raises(CommandError, match=r"schema\.md"):
        call_command("schema_docs", check=True)


def test_control_a_constraint_taken_away_makes_the_page_stale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Stock._meta, "constraints", Stock._meta.constraints[:1])
    with pytest.raises(CommandError, match=r"schema\.md"):
        call_command("schema_docs", check=True)


@pytest.mark.parametrize("name", ["schema.md", "images/schema.svg"])
def test_control_either_file_touched_by_hand_is_stale_until_made_anew(
    tmp_path: Path, name: str
) -> None:
    call_command("schema_docs", folder=tmp_path)
    made = (tmp_path / name).read_text()
    (tmp_path / name).write_text(made.replace("shop_stock", "shop_stocks"))
    with pytest.raises(CommandError, match=Path(name).name):
        call_command("schema_docs", check=True, folder=tmp_path)
    call_command("schema_docs", folder=tmp_path)
    call_command("schema_docs", check=True, folder=tmp_path)


def test_every_table_and_rule_is_on_the_page_and_every_column_in_the_picture() -> None:
    found = tables()
    text, svg = page.markdown(found, foreign()), picture.svg(found)
    for model in (m for m in _models() if m.__module__.startswith(("shop.", "common."))):
        assert f"### {model._meta.db_table}\n" in text
        assert all(f"`{c.name}`" in text for c in model._meta.constraints)
        assert all(f">{f.column}<" in svg for f in model._meta.local_concrete_fields)


def _models() -> list[type[models.Model]]:
    found = list(Stock._meta.apps.get_models())
    assert len(found) > 30
    return found


def test_types_and_conditions_are_those_of_mysql() -> None:
    columns = {f"{t.name}.{c.name}": c for t in tables() for c in t.columns}
    rules = {name: what for t in tables() for _, name, what in t.rules}
    assert columns["shop_order.placed_at"].type == "datetime(6)"
    assert columns["shop_order.placed_at"].default == "CURRENT_TIMESTAMP(6)"
    assert columns["payments_paymentevent.amount"].type == "decimal(65,0)"
    assert columns["shop_stockhold.order_line_id"].keys == ["FK", "UK"]
    assert rules["stock_not_oversold"] == "on_hand >= (held)"
    assert rules["user_username_once"] == "LOWER(username)"
