"""What the forms of staff's and of buyers' pages have in common."""

from django import forms


class Marked(forms.Form):
    """A field with an error says so to everybody, and where the error stands."""

    def full_clean(self) -> None:
        super().full_clean()
        self.mark()

    def mark(self) -> None:
        """Once more after an error that is found later."""
        for name in self.errors:
            if name in self.fields:
                attrs = self.fields[name].widget.attrs
                attrs |= {"aria-invalid": "true", "aria-describedby": f"id_{name}_wrong"}
