"""A form on a row's admin page that ends in a service."""

import uuid
from typing import Any, ClassVar

from django import forms
from django.forms import BoundField

from common.errors import SoukError


class ServiceForm(forms.Form):
    """Asked for, shown again as plain words, then carried out.

    `row` is what it is about; a form that makes one has None, and sets it in `run`.

    `once` is new for each opened form and an idempotency key when it comes back: a double click
    or a reloaded page cannot refund twice.
    """

    name: ClassVar[str]
    label: ClassVar[str]

    once = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, data: Any = None, *, row: Any) -> None:
        super().__init__(data, initial={"once": uuid.uuid4().hex})
        self.row = row

    @classmethod
    def fits(cls, row: Any) -> bool:
        """Whether the button is worth showing; the service has the last word."""
        return True

    def facts(self) -> list[tuple[str, Any]]:
        """What to know before filling it in: name and value."""
        return []

    def outcome(self) -> list[str]:
        """What carrying out the valid form will do, a sentence each."""
        raise NotImplementedError

    def run(self, actor_id: int) -> str:
        """Call the service; returns the words for success. Raises SoukError."""
        raise NotImplementedError

    def refuse(self, refused: SoukError) -> None:
        """Show why the service refused, beside the field that it is about."""
        named = [item["field"] for item in refused.errors if item["field"] in self.fields]
        self.add_error(named[0] if named else None, refused.detail)

    def visible(self) -> list[BoundField]:
        return self.visible_fields()
