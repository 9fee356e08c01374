"""The tables as MySQL would have them, read from the models; no server is asked."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.db import connections, models
from django.db.backends.mysql.base import DatabaseWrapper
from django.db.backends.mysql.schema import DatabaseSchemaEditor

# What Django would ask a server for.
SERVER = {
    "version": "8.4.0",
    "sql_mode": "STRICT_TRANS_TABLES",
    "default_storage_engine": "InnoDB",
    "sql_auto_is_null": False,
    "lower_case_table_names": 0,
    "has_zoneinfo_database": True,
}


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    null: bool
    primary: bool
    unique: bool
    default: str
    # `table.column`, or empty.
    refers_to: str
    values: tuple[str, ...]

    @property
    def keys(self) -> list[str]:
        marks = {"PK": self.primary, "FK": self.refers_to, "UK": self.unique and not self.primary}
        return [mark for mark, there in marks.items() if there]


@dataclass(frozen=True)
class Table:
    name: str
    # The package, and the feature in it: `shop`, `orders`.
    app: str
    feature: str
    text: str
    columns: tuple[Column, ...]
    # `(kind, name, what)`: CHECK, UNIQUE, INDEX.
    rules: tuple[tuple[str, str, str], ...]


class _Editor(DatabaseSchemaEditor):
    def quote_value(self, value: Any) -> str:
        """As the driver would, without its connection; only for people to read."""
        return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(int(value))


def tables() -> list[Table]:
    """Every table of the project's own apps, from the top of the stack down."""
    editor = _Editor(_offline(), collect_sql=True)
    found = []
    for app in filter(_is_ours, apps.get_app_configs()):
        made = [_table(model, editor) for model in app.get_models(include_auto_created=True)]
        found += sorted(made, key=lambda table: (table.feature, table.name))
    return found


def foreign() -> list[str]:
    """The names of the tables that Django's own apps bring."""
    others = [app for app in apps.get_app_configs() if not _is_ours(app)]
    return sorted(
        model._meta.db_table
        for app in others
        for model in app.get_models(include_auto_created=True)
    )


def _is_ours(app: AppConfig) -> bool:
    return Path(app.path).parent == settings.BASE_DIR


def _offline() -> DatabaseWrapper:
    wrapper = DatabaseWrapper({**connections["default"].settings_dict, "OPTIONS": {}})
    wrapper.__dict__["mysql_server_data"] = SERVER
    return wrapper


def _table(model: type[models.Model], editor: _Editor) -> Table:
    module = model.__module__.split(".")
    return Table(
        name=model._meta.db_table,
        app=module[0],
        feature=module[1],
        text=_text(model),
        columns=tuple(_column(field, editor) for field in model._meta.local_concrete_fields),
        rules=tuple(_rules(model, editor)),
    )


def _text(model: type[models.Model]) -> str:
    """The model's docstring on one line; Django makes one of the fields where there is none."""
    written = " ".join((inspect.getdoc(model) or "").split())
    return "" if written.startswith(f"{model.__name__}(") else written


def _column(field: Any, editor: _Editor) -> Column:
    remote = field.remote_field
    return Column(
        name=field.column,
        type=field.db_parameters(editor.connection)["type"].lower(),
        null=field.null or (field.generated and not field.db_persist),
        primary=field.primary_key,
        unique=field.unique or _alone_unique(field),
        default=_default(field, editor),
        refers_to=f"{remote.model._meta.db_table}.{field.target_field.column}" if remote else "",
        values=tuple(str(value) for value, _label in field.flatchoices),
    )


def _alone_unique(field: Any) -> bool:
    constraints = field.model._meta.total_unique_constraints
    return any(constraint.fields == (field.name,) for constraint in constraints)


def _default(field: Any, editor: _Editor) -> str:
    """The database's own default, or what it makes of the others; the code's are none of it."""
    if field.generated:
        made = str(field.generated_sql(editor.connection)[0])
        return f"generated: {made.replace('`', '')}"
    if not field.has_db_default():
        return ""
    sql, values = editor.db_default_sql(field)
    return _bare(str(sql) % tuple(editor.quote_value(value) for value in values))


def _rules(model: type[models.Model], editor: _Editor) -> Iterator[tuple[str, str, str]]:
    for constraint in model._meta.constraints:
        kind = "CHECK" if isinstance(constraint, models.CheckConstraint) else "UNIQUE"
        yield kind, constraint.name, _condition(str(constraint.create_sql(model, editor)), kind)
    columns = {field.name: str(field.column) for field in model._meta.local_concrete_fields}
    for names in model._meta.unique_together:
        yield "UNIQUE", "", ", ".join(columns[name] for name in names)
    for index in model._meta.indexes:
        yield "INDEX", index.name, _condition(str(index.create_sql(model, editor)), "ON")


def _condition(sql: str, after: str) -> str:
    """What stands in the outermost brackets that follow a word, without quoting marks."""
    text = re.sub(r"`(?:[^`]+`\.`)?", "", sql[sql.index(f" {after} ") :])
    return _bare(text[text.index("(") + 1 : text.rindex(")")])


def _bare(text: str) -> str:
    """Without brackets around the whole of it."""
    inner = text[1:-1]
    whole = text.startswith("(") and text.endswith(")") and not re.search(r"^[^(]*\)", inner)
    return inner if whole else text
