"""Every text of the shop's pages and letters is in each language's catalogue, which is compiled."""

import ast
import re
from collections.abc import Iterator
from gettext import GNUTranslations
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
APPS = ["accounts", "common", "config", "dashboards", "payments", "shop", "migrations_seed"]
CALLS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy"}
# Staff read English (common/languages.py).
STAFF = (
    *("dashboards/staff/", "dashboards/templates/staff/", "config/templates/admin/"),
    *("payments/exports/", "payments/templates/payments/exports/"),
    *("shop/imports/", "shop/templates/"),
)
CALL = re.compile(r"\bn?gettext\((u?'(?:[^'\\]|\\.)*'|u?\"(?:[^\"\\]|\\.)*\")", re.S)
LANGUAGES = [code for code, _ in settings.LANGUAGES if code != "en"]


def sources(suffix: str) -> Iterator[Path]:
    for app in APPS:
        found = sorted((ROOT / app).rglob(f"*{suffix}"))
        yield from (p for p in found if not str(p.relative_to(ROOT)).startswith(STAFF))


def in_template(text: str) -> set[str]:
    return {ast.literal_eval(found) for found in CALL.findall(templatize(text))}


def in_python(text: str) -> set[str]:
    calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    named = (node for node in calls if isinstance(node.func, ast.Name) and node.args)
    first = (node.args[0] for node in named if node.func.id in CALLS)  # type: ignore[attr-defined]
    return {arg.value for arg in first if isinstance(arg, ast.Constant) and arg.value}


def texts() -> set[str]:
    found: set[str] = set()
    for suffix in (".html", ".txt"):
        found = found.union(*(in_template(path.read_text()) for path in sources(suffix)))
    return found.union(*(in_python(path.read_text()) for path in sources(".py")))


def compiled(language: str) -> dict[str, list[str]]:
    """Every translation of a text: a plural has several."""
    path = ROOT / "locale" / language / "LC_MESSAGES" / "django.mo"
    with path.open("rb") as file:
        catalogue: Any = GNUTranslations(file)
    found: dict[str, list[str]] = {}
    for key, value in catalogue._catalog.items():
        found.setdefault(key[0] if isinstance(key, tuple) else key, []).append(value)
    found.pop("")
    return found


def written(language: str) -> dict[str, list[str]]:
    """The same as the translator wrote it."""
    path = ROOT / "locale" / language / "LC_MESSAGES" / "django.po"
    found: dict[str, list[str]] = {}
    for block in path.read_text().split("\n\n")[1:]:
        said = re.findall(r'^(msg\w+(?:\[\d\])?) ((?:".*"\n?)+)', f"{block}\n", re.M)
        values = {key: "".join(map(ast.literal_eval, v.splitlines())) for key, v in said}
        found[values["msgid"]] = [v for key, v in values.items() if key.startswith("msgstr")]
    return found


def test_texts_are_found_where_they_stand() -> None:
    page = """{% load i18n %}{% translate "Buy" %}{% blocktranslate trimmed count n=n %}{{ n }} left
        {% plural %}{{ n }} are left{% endblocktranslate %}"""
    assert in_template(page) == {"Buy", "%(n)s left"}
    assert in_python('x = _("a " "b"); ngettext("one", "many", 2); other("c")') == {"a b", "one"}
    assert len(texts()) > 300


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_missing_and_none_is_left_over(language: str) -> None:
    """`make translations` finds new ones; somebody has to translate them."""
    catalogue = compiled(language)
    assert texts() - catalogue.keys() == set()
    assert catalogue.keys() - texts() == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_translation_says_something_with_the_same_values(language: str) -> None:
    for text, translations in compiled(language).items():
        for translation in translations:
            assert translation.strip(), text
            # The first of a plural may do without its number.
            values = set(re.findall(r"%\(\w+\)s", translation))
            assert values == set(re.findall(r"%\(\w+\)s", text)) or len(translations) > 1, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_the_written_one(language: str) -> None:
    assert compiled(language) == written(language)
    source = ROOT / "locale" / language / "LC_MESSAGES" / "django.po"
    assert "fuzzy" not in source.read_text()
