"""Schedules as staff write and see them."""

from typing import Any, ClassVar

from rest_framework import serializers

from common.api.serializers import (
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictListField,
    StrictSerializer,
)
from common.moments import moment_text
from shop.flash_sales.rules import MAX_ALLOCATION
from shop.flash_schedules import rules
from shop.flash_schedules.models import FlashOccurrence
from shop.flash_schedules.rules import Dates, Frequency, Repeat, Rule, Weekday

OCCURRENCE_STATES = [state.value for state in FlashOccurrence.State]
FREQUENCIES = [frequency.value for frequency in Frequency]
WEEKDAYS = [day.value for day in Weekday]
TIME_FORMATS = ["%H:%M", "%H:%M:%S"]


class RepeatIn(StrictSerializer):
    """At a local time, as the clocks of `time_zone` show it, summer and winter.

    `weekdays` are for daily and weekly rules; a monthly one has the day of `first_on`, or the
    month's last where it is shorter.
    """

    example: ClassVar = {
        "frequency": "weekly",
        "first_on": "2030-02-04",
        "time": "18:00",
        "time_zone": "Europe/Berlin",
        "weekdays": ["mo", "th"],
        "until": "2030-12-31",
    }

    frequency = serializers.ChoiceField(FREQUENCIES)
    first_on = serializers.DateField()
    time = serializers.TimeField(input_formats=TIME_FORMATS)
    time_zone = StrictCharField(max_length=64)
    every = StrictIntegerField(min_value=1, max_value=rules.MOST_EVERY, default=1)
    weekdays = StrictListField(
        child=serializers.ChoiceField(WEEKDAYS), max_length=len(WEEKDAYS), required=False
    )
    until = serializers.DateField(required=False, allow_null=True)
    count = StrictIntegerField(
        min_value=1, max_value=rules.MOST_TIMES, required=False, allow_null=True
    )


class ScheduleIn(StrictSerializer):
    """Either `dates` or `repeat`; a run lasts `run_minutes`, or until all is sold."""

    example: ClassVar = {"allocation": 100, "run_minutes": 120, "repeat": RepeatIn.example}

    default_error_messages = {"one_of": "Give dates or repeat, and not both.", **rules.PROBLEMS}

    allocation = StrictIntegerField(min_value=1, max_value=MAX_ALLOCATION)
    run_minutes = StrictIntegerField(
        min_value=1, max_value=rules.MOST_MINUTES, required=False, allow_null=True
    )
    dates = StrictListField(
        child=serializers.DateTimeField(), min_length=1, max_length=rules.MOST_DATES, required=False
    )
    repeat = RepeatIn(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("dates" in attrs) == ("repeat" in attrs):
            message = self.error_messages["one_of"]
            raise serializers.ValidationError({"repeat": message}, code="one_of")
        rule = _rule(attrs)
        if wrong := rules.wrong(rule):
            inner = {wrong.field: serializers.ErrorDetail(wrong.text, code=wrong.code)}
            raise serializers.ValidationError({"repeat": inner} if "repeat" in attrs else inner)
        kept = {name: attrs[name] for name in ("allocation", "run_minutes") if name in attrs}
        return {"run_minutes": None, **kept, "rule": rule}


def _rule(attrs: dict[str, Any]) -> Rule:
    if "dates" in attrs:
        return Dates(tuple(attrs["dates"]))
    repeat = attrs["repeat"]
    days = tuple(day for day in WEEKDAYS if day in repeat.get("weekdays", ()))
    return Repeat(**{**repeat, "frequency": Frequency(repeat["frequency"]), "weekdays": days})


class ScheduleSwitchIn(StrictSerializer):
    example: ClassVar = {"active": False}

    active = StrictBooleanField()


class OccurrenceOut(serializers.Serializer[Any]):
    """A moment for which a run is wanted; `problem` is the code of why there is none yet."""

    starts_at = serializers.DateTimeField(source="scheduled_for")
    state = serializers.ChoiceField(OCCURRENCE_STATES)
    run = serializers.IntegerField(
        source="run.number", default=None, allow_null=True, help_text="The run's number."
    )
    problem = serializers.CharField(help_text="Blank where there is none.")
    detail = serializers.CharField()


class RepeatOut(serializers.Serializer[Any]):
    frequency = serializers.ChoiceField(FREQUENCIES)
    first_on = serializers.DateField()
    time = serializers.TimeField()
    time_zone = serializers.CharField()
    every = serializers.IntegerField()
    weekdays = serializers.ListField(child=serializers.ChoiceField(WEEKDAYS))
    until = serializers.DateField(allow_null=True)
    count = serializers.IntegerField(allow_null=True)


class ScheduleOut(serializers.Serializer[Any]):
    """`next` are the moments to come, `occurrences` the newest that runs were wanted for."""

    id = serializers.UUIDField(source="uid")
    active = serializers.BooleanField()
    allocation = serializers.IntegerField()
    run_minutes = serializers.IntegerField(allow_null=True)
    dates = serializers.SerializerMethodField()
    repeat = serializers.SerializerMethodField()
    next = serializers.SerializerMethodField()
    occurrences = OccurrenceOut(source="latest", many=True)
    created_at = serializers.DateTimeField()

    def get_dates(self, schedule: Any) -> list[str] | None:
        rule = schedule.parsed
        return _moments(rule.moments) if isinstance(rule, Dates) else None

    def get_repeat(self, schedule: Any) -> dict[str, Any] | None:
        rule = schedule.parsed
        return rule.as_json() if isinstance(rule, Repeat) else None

    def get_next(self, schedule: Any) -> list[str]:
        return _moments(self.context["next"][schedule.pk])


def _moments(moments: Any) -> list[str]:
    return [moment_text(moment) for moment in moments]
