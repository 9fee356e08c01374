"""Refusals of schedules."""

from common.errors import Invalid, NotFound


class NoSuchSchedule(NotFound):
    title = "There is no such schedule of this flash sale."


class NeverHeld(Invalid):
    """The rule has no moment in the future."""

    code = "never_held"
    title = "No run would start by this schedule."
