"""Flash sales: planning and ending runs, and the units of those who buy."""

from shop.flash_sales.services.crowd import refusal_known, refusal_note
from shop.flash_sales.services.gate import (
    gate_claim,
    gate_correct,
    gate_fill,
    gate_remember,
    gate_settle,
)
from shop.flash_sales.services.many import (
    Chosen,
    OpenRun,
    UnitsTaken,
    Wanted,
    run_enter,
    units_choose,
    units_write,
)
from shop.flash_sales.services.places import Plan
from shop.flash_sales.services.runs import (
    Offer,
    positions_give,
    run_end,
    run_schedule,
    runs_sweep,
    sale_change,
    sale_create,
    sale_end,
    sale_patch,
)
from shop.flash_sales.services.tally import tallies_mend
from shop.flash_sales.services.units import units_release, units_renew, units_sell
from shop.flash_sales.store import Limit

__all__ = [
    "Chosen",
    "Limit",
    "Offer",
    "OpenRun",
    "Plan",
    "UnitsTaken",
    "Wanted",
    "gate_claim",
    "gate_correct",
    "gate_fill",
    "gate_remember",
    "gate_settle",
    "positions_give",
    "refusal_known",
    "refusal_note",
    "run_end",
    "run_enter",
    "run_schedule",
    "runs_sweep",
    "sale_change",
    "sale_create",
    "sale_end",
    "sale_patch",
    "tallies_mend",
    "units_choose",
    "units_release",
    "units_renew",
    "units_sell",
    "units_write",
]
