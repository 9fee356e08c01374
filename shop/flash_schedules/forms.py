"""What staff do to schedules in the admin, each form ending in a service."""

from typing import Any

from django import forms

from common import clock
from common.admin.forms import ServiceForm
from shop.flash_sales.models import FlashSale
from shop.flash_sales.rules import MAX_ALLOCATION
from shop.flash_schedules import rules, selectors, services
from shop.flash_schedules.models import FlashSchedule
from shop.flash_schedules.rules import Frequency, Repeat, Rule, Weekday


class CreateForm(ServiceForm):
    name = "add"
    label = "Make a schedule"

    sale = forms.ModelChoiceField(FlashSale.objects.order_by("slug"))
    allocation = forms.IntegerField(min_value=1, max_value=MAX_ALLOCATION)
    run_minutes = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=rules.MOST_MINUTES,
        help_text="Empty: until all units are paid for, or the next run starts.",
    )
    frequency = forms.ChoiceField(choices=[(each.value, each.value) for each in Frequency])
    every = forms.IntegerField(
        min_value=1, max_value=rules.MOST_EVERY, initial=1, help_text="2: every other one."
    )
    weekdays = forms.MultipleChoiceField(
        required=False,
        choices=[(day.value, day.value) for day in Weekday],
        help_text="Empty: the day of the first date.",
    )
    first_on = forms.DateField(help_text="For example 2030-01-31.")
    time = forms.TimeField(input_formats=["%H:%M", "%H:%M:%S"], help_text="Local, as 18:00.")
    time_zone = forms.CharField(max_length=64, initial="UTC", help_text="For example Europe/Rome.")
    until = forms.DateField(required=False)
    count = forms.IntegerField(required=False, min_value=1, max_value=rules.MOST_TIMES)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and (wrong := rules.wrong(self.rule())):
            self.add_error(wrong.field, wrong.text)
        return data

    def rule(self) -> Rule:
        data = self.cleaned_data
        same = ("first_on", "time", "time_zone", "every", "until", "count")
        chosen = tuple(day.value for day in Weekday if day in data["weekdays"])
        kept = {name: data[name] for name in same}
        return Repeat(Frequency(data["frequency"]), weekdays=chosen, **kept)

    def outcome(self) -> list[str]:
        coming = self.rule().following(clock.now(), selectors.NEXT)
        times = ", ".join(f"{moment:%Y-%m-%d %H:%M}" for moment in coming) or "never"
        return [
            f"{self.cleaned_data['sale']} is held again with "
            f"{self.cleaned_data['allocation']} units each time. First (UTC): {times}.",
            "A day before each, the units leave the stock; where they are short, it is shown here.",
        ]

    def run(self, actor_id: int) -> str:
        data = self.cleaned_data
        self.row = services.schedule_create(
            sale_id=data["sale"].pk,
            rule=self.rule(),
            allocation=data["allocation"],
            run_minutes=data["run_minutes"],
            actor_id=actor_id,
        )
        return f"{self.row} is made."


class StopForm(ServiceForm):
    name = "stop"
    label = "Stop the schedule"

    @classmethod
    def fits(cls, row: FlashSchedule) -> bool:
        return row.active

    def outcome(self) -> list[str]:
        return ["No further run is planned by it. Those that are planned stay."]

    def run(self, actor_id: int) -> str:
        services.schedule_switch(schedule_id=self.row.pk, active=False, actor_id=actor_id)
        return f"{self.row} is stopped."


class StartForm(ServiceForm):
    name = "start"
    label = "Let the schedule go on"

    @classmethod
    def fits(cls, row: FlashSchedule) -> bool:
        return not row.active

    def outcome(self) -> list[str]:
        return ["Runs are planned by it again from now on."]

    def run(self, actor_id: int) -> str:
        services.schedule_switch(schedule_id=self.row.pk, active=True, actor_id=actor_id)
        return f"{self.row} goes on."
