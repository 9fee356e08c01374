"""The only place that locks schedules and their moments, always before their sale."""

from shop.flash_schedules.models import FlashOccurrence, FlashSchedule


def schedule(pk: int) -> FlashSchedule:
    """Its row: whoever stops it and whoever adds its moments come one after the other."""
    return FlashSchedule.objects.select_for_update().get(pk=pk)


def occurrence(pk: int) -> FlashOccurrence | None:
    """A moment's row, so that one worker plans its run; None where its schedule was stopped."""
    return FlashOccurrence.objects.select_for_update().filter(pk=pk).first()
