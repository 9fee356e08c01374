"""Refusals of an import."""

from collections.abc import Sequence
from typing import Any

from common.errors import Conflict, Invalid, NotFound


class ImportRefused(Invalid):
    """Nothing of the file was taken; each of `errors` names a row, counted as a spreadsheet does.

    `total` is how many mistakes there are, of which `errors` has the first hundred.
    """

    code = "import_refused"
    title = "The file was not taken."

    def __init__(self, wrong: Sequence[dict[str, Any]] = (), *, total: int = 0) -> None:
        first = wrong[0]["detail"] if wrong else self.title
        super().__init__(str(first), errors=wrong, total=total or len(wrong))


class NoSuchImport(NotFound):
    title = "There is no such import, or its file is no longer kept."


class CarriedOutBefore(Conflict):
    code = "import_carried_out"
    title = "This file was carried out before; nothing was done again."
