"""What staff do to the allow-list in the admin, each form ending in a service."""

from typing import Any

from django import forms
from django.contrib.auth import get_user_model

from common.admin.forms import ServiceForm
from payments.risk import services


class AllowForm(ServiceForm):
    name = "add"
    label = "Let somebody through"

    email = forms.EmailField(required=False, label="User's e-mail")
    network = forms.CharField(required=False, max_length=50, label="Or address or network")
    reason = forms.CharField(max_length=200)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        email, users = data.get("email"), get_user_model().objects
        if bool(email) == bool(data.get("network")):
            self.add_error("email", "Give a user or a network, and not both.")
        elif email:
            data["user_id"] = users.filter(email=email).values_list("pk", flat=True).first()
            if data["user_id"] is None:
                self.add_error("email", "There is no such user.")
        return data

    def outcome(self) -> list[str]:
        data = self.cleaned_data
        whom = data["email"] or f"whoever comes from {data['network']}"
        return [f"No rule against fraud stops {whom} any more."]

    def run(self, actor_id: int) -> str:
        data = self.cleaned_data
        self.row = services.allowance_create(
            user_id=data.get("user_id"),
            network=data["network"] or None,
            reason=data["reason"],
            actor_id=actor_id,
        )
        return f"{self.row} is let through."
