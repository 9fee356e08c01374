"""Refusals of exports."""

from common.errors import Conflict, FieldRefused, NotFound


class NoSuchExport(NotFound):
    title = "There is no such export."


class PeriodReversed(FieldRefused):
    code, field = "period_reversed", "filters.to"
    title = "The period must end after it begins."


class PeriodTooLong(FieldRefused):
    code, field = "period_too_long", "filters.to"
    title = "A period may have up to ten years."


class PeriodMissing(FieldRefused):
    code, field = "period_missing", "filters.from"
    title = "These grow every day: say from when to when."


class NotForThisKind(FieldRefused):
    code, field = "not_for_this_kind", "filters"
    title = "This filter is not one of this kind."


class UnknownStatus(FieldRefused):
    code, field = "unknown_status", "filters.status"
    title = "Nothing of this kind has such a status."


class TooManyExports(Conflict):
    code = "too_many_exports"
    title = "Wait until one of your exports is done."


class ExportNotReady(Conflict):
    code = "export_not_ready"
    title = "The file is not whole yet."


class ExportFailed(Conflict):
    code = "export_failed"
    title = "The file could not be made; ask for it again."


class ExportExpired(NotFound):
    code = "export_expired"
    title = "The file is no longer kept; ask for it again."
