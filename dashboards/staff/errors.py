"""Refusals of periods."""

from common.errors import FieldRefused


class PeriodReversed(FieldRefused):
    code, field = "period_reversed", "to"
    title = "The period must not end before it begins."


class PeriodTooLong(FieldRefused):
    code, field = "period_too_long", "from"
    title = "A period may be ten years long."


class TooManySteps(FieldRefused):
    code, field = "too_many_steps", "granularity"
    title = "This period has more than 400 steps; choose weeks or months."


class OutOfRange(FieldRefused):
    code = "out_of_range"
    title = "A day from 2000-01-01 to 2100-12-31."
